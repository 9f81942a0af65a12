"""A collection that changes its model or index settings: built beside, checked, swapped, rolled back, given up."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from psycopg.sql import SQL, Identifier

from dbrag.accounts import budgets
from dbrag.database.pool import Connection, connect
from dbrag.documents import collections, documents, endings, ingest, purge
from dbrag.documents.accept import accept
from dbrag.documents.attempt import AttemptFailed
from dbrag.documents.model import Collection, CollectionWish, Storage, Submission
from dbrag.embedding import embed
from dbrag.embedding.embed import embed_pending
from dbrag.errors import Conflict, Invalid
from dbrag.jobs import jobs
from dbrag.jobs.model import Job, Kind, Queue, Status
from dbrag.jobs.progress import progress
from dbrag.runtime import Runtime
from dbrag.settings import Settings
from dbrag.vectors import build, clearing, generations, merge, replacement, segments
from dbrag.vectors.model import GenerationStatus
from dbrag.vectors.search import GenerationGone, nearest
from tests.provider.process import ProviderServer
from tests.provider.vectors import vector_of


@pytest.fixture
def say(tenant_id: UUID) -> Callable[[int], str]:
    """Texts of one chunk that no other test has."""
    return lambda n: f"{tenant_id.hex[-8:]} says {n * 7919} and {n * 104729}."


def put(conn: Connection, collection: Collection, settings: Settings, **wish: object) -> Job:
    with conn.transaction():
        put = collections.put(conn, collection.tenant_id, collection.name, CollectionWish(**wish), settings)  # type: ignore[arg-type]
    assert put.job
    return put.job


def submit(conn: Connection, runtime: Runtime, collection: Collection, texts: dict[str, str]) -> Job:
    with conn.transaction():
        items = [Submission(name, text=text) for name, text in texts.items()]
        job = accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.CRITICAL, items)
    ingest.ingest(runtime, job.id)
    return job


def run(conn: Connection, runtime: Runtime, job: Job, limit: int = 30) -> Job:
    """Takes a job to its end, as relay and workers would."""
    for _ in range(limit):
        conn.execute("UPDATE jobs SET reason_until = NULL WHERE id = %s AND status = 'queued'", [job.id])
        build.rebuild_index(runtime, job.id)
        embed.embed_pending(runtime)
        now = jobs.get(conn, job.tenant_id, job.id)
        if now.status.is_final:
            return now
    raise AssertionError(f"{now} does not end")


def fresh(conn: Connection, collection: Collection) -> Collection:
    return collections.get(conn, collection.tenant_id, collection.name)


def waiting_texts(conn: Connection, collection: Collection) -> int:
    question = "SELECT count(*) FROM pending p JOIN generations g ON g.id = p.generation_id WHERE g.collection_id = %s"
    counted = conn.execute(question, [collection.id]).fetchone()
    assert counted
    return counted[0]


def found(conn: Connection, collection: Collection, text: str) -> str | None:
    """The document that a search by this text's own vector finds with a score of 1."""
    with conn.transaction():
        hits = nearest(conn, collection, vector_of(text, collection.dimensions), 1, None).hits
    return hits[0].external_id if hits and hits[0].score > 0.99 else None


@pytest.fixture
def filled(conn: Connection, runtime: Runtime, own_collection: Collection, say: Callable[[int], str]) -> Collection:
    submit(conn, runtime, own_collection, {f"d{n}": say(n) for n in range(30)})
    embed.embed_pending(runtime)
    return own_collection


def test_a_change_of_dimensions_serves_when_it_is_complete(
    conn: Connection, runtime: Runtime, filled: Collection, say: Callable[[int], str]
) -> None:
    job = put(conn, filled, runtime.settings, dimensions=16)
    during = fresh(conn, filled)
    assert (during.dimensions, during.generation_id) == (8, filled.generation_id)
    assert during.building
    assert (during.building.dimensions, during.building.job_id) == (16, job.id)
    ended = run(conn, runtime, job)
    after = fresh(conn, filled)
    assert (ended.status, after.dimensions, after.building) == (Status.SUCCEEDED, 16, None)
    assert [found(conn, after, say(n)) for n in range(30)] == [f"d{n}" for n in range(30)]
    assert ended.prompt_tokens > 0
    assert (ended.chunks_done, ended.chunks_total) == (30, 30)


def test_the_settings_of_an_empty_collection_can_be_changed(
    conn: Connection, runtime: Runtime, own_collection: Collection
) -> None:
    job = put(conn, own_collection, runtime.settings, dimensions=16)
    assert run(conn, runtime, job).status is Status.SUCCEEDED
    assert fresh(conn, own_collection).dimensions == 16


def test_a_new_index_setting_pays_for_nothing(conn: Connection, runtime: Runtime, filled: Collection) -> None:
    with conn.transaction():
        wish = CollectionWish(m=8, ef_construction=32)
        cost = collections.estimate(conn, filled.tenant_id, filled.name, wish, runtime.settings)
    assert (cost.rows, cost.texts, cost.tokens, cost.cost_usd) == (30, 0, 0, 0)
    ended = run(conn, runtime, put(conn, filled, runtime.settings, m=8, ef_construction=32))
    assert (ended.status, ended.prompt_tokens, fresh(conn, filled).m) == (Status.SUCCEEDED, 0, 8)


def test_what_a_change_costs_is_told_without_doing_it(conn: Connection, runtime: Runtime, filled: Collection) -> None:
    wish = CollectionWish(model="text-embedding-3-large", dimensions=8)
    cost = collections.estimate(conn, filled.tenant_id, filled.name, wish, runtime.settings)
    tokens = conn.execute("SELECT sum(tokens) FROM chunks WHERE collection_id = %s", [filled.id]).fetchone()
    assert tokens == (cost.tokens,)
    assert (cost.rows, cost.texts, cost.exact) == (30, 30, True)
    assert cost.cost_usd == pytest.approx(cost.tokens * 0.13 / 1e6)
    assert cost.seconds > 0
    assert fresh(conn, filled).building is None


def test_what_is_written_deleted_and_replaced_in_between_is_in_the_new_one_too(
    conn: Connection, runtime: Runtime, filled: Collection, say: Callable[[int], str]
) -> None:
    job = put(conn, filled, runtime.settings, dimensions=16)
    build.rebuild_index(runtime, job.id)
    submit(conn, runtime, filled, {"new": say(100), "d1": say(101), "d2": f"{say(2)}\n\n{say(102)}"})
    documents.delete(conn, filled, "d3")
    embed.embed_pending(runtime)
    during = fresh(conn, filled)
    assert (found(conn, during, say(100)), found(conn, during, say(3))) == ("new", None)
    assert run(conn, runtime, job).status is Status.SUCCEEDED
    after = fresh(conn, filled)
    for n, name in {100: "new", 101: "d1", 2: "d2", 102: "d2", 3: None, 1: None, 4: "d4"}.items():
        assert found(conn, after, say(n)) == name, n


def test_what_was_accepted_before_and_ends_after_the_change_is_found(
    conn: Connection, runtime: Runtime, filled: Collection, say: Callable[[int], str]
) -> None:
    """Its chunks were put on the pending table for the old generation only."""
    late = submit(conn, runtime, filled, {"late": say(200)})
    job = put(conn, filled, runtime.settings, dimensions=16)
    assert run(conn, runtime, job).status is Status.SUCCEEDED
    clearing.clear_generations(runtime.pool, runtime.settings)
    assert jobs.get(conn, late.tenant_id, late.id).status is Status.SUCCEEDED
    assert found(conn, fresh(conn, filled), say(200)) == "late"


def test_a_transaction_older_than_the_change_is_waited_for(
    conn: Connection, runtime: Runtime, filled: Collection, settings: Settings
) -> None:
    with connect(settings) as older:
        older.execute("SELECT pg_current_xact_id()")
        job = put(conn, filled, runtime.settings, dimensions=16)
        build.rebuild_index(runtime, job.id)
        waiting = jobs.get(conn, job.tenant_id, job.id)
        assert (waiting.status, waiting.reason_code) == (Status.QUEUED, "embedding")
        assert progress(waiting).stage == "embedding"
        assert "still open" in str(waiting.reason_detail)
        assert waiting_texts(conn, filled) == 0
    assert run(conn, runtime, job).status is Status.SUCCEEDED


def test_a_change_waits_for_the_budget(conn: Connection, runtime: Runtime, filled: Collection) -> None:
    name = conn.execute("SELECT name FROM tenants WHERE id = %s", [filled.tenant_id]).fetchone()
    assert name
    budgets.put(conn, name[0], {"day": Decimal(0)})
    job = put(conn, filled, runtime.settings, dimensions=16)
    assert embed_pending(runtime) == 0
    build.rebuild_index(runtime, job.id)
    assert embed_pending(runtime) == 0
    waiting = jobs.get(conn, job.tenant_id, job.id)
    assert (waiting.status, waiting.reason_code) == (Status.QUEUED, "budget")
    assert progress(waiting).stage == "embedding"
    budgets.put(conn, name[0], {"day": None})
    assert run(conn, runtime, job).status is Status.SUCCEEDED


def test_a_transaction_that_began_before_the_change_was_committed_is_waited_for(
    conn: Connection, runtime: Runtime, filled: Collection, settings: Settings
) -> None:
    with connect(settings) as changer, connect(settings) as older:
        changer.execute("SELECT pg_current_xact_id()")
        older.execute("SELECT pg_current_xact_id()")
        job = put(changer, filled, runtime.settings, dimensions=16)
        changer.commit()
        build.rebuild_index(runtime, job.id)
        assert "still open" in str(jobs.get(conn, job.tenant_id, job.id).reason_detail)
        assert waiting_texts(conn, filled) == 0
    assert run(conn, runtime, job).status is Status.SUCCEEDED


def test_the_same_wish_again_is_the_same_job_and_another_one_a_conflict(
    conn: Connection, runtime: Runtime, filled: Collection
) -> None:
    job = put(conn, filled, runtime.settings, dimensions=16)
    assert put(conn, filled, runtime.settings, dimensions=16).id == job.id
    with pytest.raises(Conflict, match=str(job.id)):
        put(conn, filled, runtime.settings, dimensions=32)
    with conn.transaction():  # what the collection is, is no change
        wish = CollectionWish(dimensions=8)
        assert collections.put(conn, filled.tenant_id, filled.name, wish, runtime.settings).job is None
    with pytest.raises(Conflict, match=str(job.id)):
        replacement.roll_back(conn, filled.tenant_id, filled.id, runtime.settings)
    assert run(conn, runtime, job).status is Status.SUCCEEDED


def test_rolling_back_pays_only_for_what_was_written_since(
    conn: Connection, runtime: Runtime, filled: Collection, say: Callable[[int], str]
) -> None:
    with pytest.raises(Conflict, match="no earlier generation"):
        replacement.roll_back(conn, filled.tenant_id, filled.id, runtime.settings)
    run(conn, runtime, put(conn, filled, runtime.settings, dimensions=16))
    now = fresh(conn, filled)
    submit(conn, runtime, now, {"since": say(300)})
    documents.delete(conn, now, "d5")
    embed.embed_pending(runtime)
    with conn.transaction():
        job = replacement.roll_back(conn, filled.tenant_id, filled.id, runtime.settings)
    ended = run(conn, runtime, job)
    back = fresh(conn, filled)
    assert (ended.status, back.generation_id) == (Status.SUCCEEDED, filled.generation_id)
    assert (found(conn, back, say(300)), found(conn, back, say(5)), found(conn, back, say(6))) == ("since", None, "d6")
    assert conn.execute("SELECT sum(texts) FROM usage WHERE job_id = %s", [job.id]).fetchone() == (1,)


def test_a_cancelled_change_leaves_nothing_and_stops_nobody(
    conn: Connection, runtime: Runtime, filled: Collection, say: Callable[[int], str]
) -> None:
    job = put(conn, filled, runtime.settings, dimensions=16)
    build.rebuild_index(runtime, job.id)
    with conn.transaction():
        jobs.cancel(conn, job.tenant_id, job.id)
    with conn.transaction():
        endings.cancel(conn, job.id)
    clearing.clear_generations(runtime.pool, runtime.settings)
    clearing.clear_generations(runtime.pool, runtime.settings)
    assert [one.id for one in generations.all_of_collections(conn, [filled.id])] == [filled.generation_id]
    assert conn.execute("SELECT count(*) FROM generations WHERE collection_id = %s", [filled.id]).fetchone() == (1,)
    submit(conn, runtime, filled, {"after": say(400)})
    embed.embed_pending(runtime)
    assert found(conn, fresh(conn, filled), say(400)) == "after"


def test_a_kept_generation_goes_when_its_time_is_over(conn: Connection, runtime: Runtime, filled: Collection) -> None:
    run(conn, runtime, put(conn, filled, runtime.settings, dimensions=16))
    clearing.clear_generations(runtime.pool, runtime.settings)
    assert len(generations.all_of_collections(conn, [filled.id])) == 2
    conn.execute("UPDATE generations SET kept_until = now() WHERE collection_id = %s AND status = 'kept'", [filled.id])
    clearing.clear_generations(runtime.pool, runtime.settings)
    clearing.clear_generations(runtime.pool, runtime.settings)
    assert len(generations.all_of_collections(conn, [filled.id])) == 1
    assert conn.execute("SELECT to_regclass(%s)", [f"generation_{filled.generation_id}"]).fetchone() == (None,)


def test_a_model_that_answers_other_dimensions_fails_the_change_and_no_document(
    conn: Connection, runtime: Runtime, filled: Collection, provider: ProviderServer, say: Callable[[int], str]
) -> None:
    job = put(conn, filled, runtime.settings, dimensions=16)
    build.rebuild_index(runtime, job.id)
    provider.script(always={"broken": "wrong_dimensions"})
    embed.embed_pending(runtime)
    provider.script()
    conn.execute("UPDATE jobs SET reason_until = NULL WHERE id = %s", [job.id])
    with pytest.raises(AttemptFailed, match="dimensions"):
        build.rebuild_index(runtime, job.id)
    failed = jobs.get(conn, job.tenant_id, job.id)
    assert (failed.status, (failed.error or {})["code"]) == (Status.FAILED, "dimensions_differ")
    assert found(conn, fresh(conn, filled), say(7)) == "d7"
    of_collection = "SELECT count(*) FROM job_items i JOIN jobs j ON j.id = i.job_id WHERE j.collection_id = %s"
    assert conn.execute(f"{of_collection} AND i.status <> 'completed'", [filled.id]).fetchone() == (0,)
    clearing.clear_generations(runtime.pool, runtime.settings)
    assert waiting_texts(conn, filled) == 0


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"storage": Storage.HALFVEC, "model": "m", "dimensions": 4001}, "1 to 4000"),
        ({"storage": Storage.VECTOR, "model": "m", "dimensions": 2001}, "1 to 2000"),
        ({"m": 40, "ef_construction": 64}, "at least 2 × m"),
        ({"model": "unknown"}, "give its dimensions"),
    ],
)
def test_settings_that_there_cannot_be_are_refused_before_anything_is_built(
    conn: Connection, runtime: Runtime, own_collection: Collection, wish: dict[str, object], reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        put(conn, own_collection, runtime.settings, **wish)
    assert fresh(conn, own_collection).building is None


def test_half_precision_is_not_copied_where_single_is_wanted(
    conn: Connection, runtime: Runtime, filled: Collection
) -> None:
    wish = CollectionWish(storage=Storage.VECTOR)
    assert collections.estimate(conn, filled.tenant_id, filled.name, wish, runtime.settings).texts == 30
    ended = run(conn, runtime, put(conn, filled, runtime.settings, storage=Storage.VECTOR))
    assert ended.status is Status.SUCCEEDED
    back = CollectionWish(storage=Storage.HALFVEC)
    assert collections.estimate(conn, filled.tenant_id, filled.name, back, runtime.settings).texts == 0


def test_one_generation_serves_and_the_one_before_is_kept(
    conn: Connection, runtime: Runtime, filled: Collection
) -> None:
    run(conn, runtime, put(conn, filled, runtime.settings, dimensions=16))
    now = generations.all_of_collections(conn, [filled.id])
    assert [one.status for one in now] == [GenerationStatus.KEPT, GenerationStatus.SERVING]
    rows = conn.execute(SQL("SELECT count(*) FROM {}").format(Identifier(f"generation_{now[1].id}"))).fetchone()
    assert rows == (30,)


def test_a_recall_below_the_floor_does_not_serve(conn: Connection, runtime: Runtime, filled: Collection) -> None:
    strict = replace(runtime, settings=runtime.settings.model_copy(update={"recall_floor": 1.01}))
    job = put(conn, filled, runtime.settings, dimensions=16)
    with pytest.raises(AttemptFailed, match="DBRAG_RECALL_FLOOR"):
        run(conn, strict, job)
    assert (jobs.get(conn, job.tenant_id, job.id).error or {})["code"] == "recall_too_low"
    assert fresh(conn, filled).generation_id == filled.generation_id


def test_a_deleted_collection_takes_its_generations_along(
    conn: Connection, runtime: Runtime, filled: Collection
) -> None:
    run(conn, runtime, put(conn, filled, runtime.settings, dimensions=16))
    job = put(conn, fresh(conn, filled), runtime.settings, dimensions=32)
    build.rebuild_index(runtime, job.id)
    ids = [one.id for one in generations.history(conn, filled.id)]
    with conn.transaction():
        collections.delete(conn, filled.tenant_id, filled.name)
    with conn.transaction():
        endings.cancel(conn, job.id)
    clearing.clear_generations(runtime.pool, runtime.settings)
    purge.purge_deleted(runtime.pool)
    assert len(ids) == 3
    for id_ in ids:
        assert conn.execute("SELECT to_regclass(%s)", [f"generation_{id_}"]).fetchone() == (None,)
    assert generations.history(conn, filled.id) == []


def test_a_merge_that_is_under_way_does_not_spoil_the_change(
    conn: Connection, runtime: Runtime, filled: Collection
) -> None:
    serving = generations.of_collection(conn, filled.id)
    with conn.transaction():
        segments.seal(conn, serving.id)
    [(sealed,)] = conn.execute("SELECT id FROM segments WHERE generation_id = %s", [serving.id]).fetchall()
    copy = merge.begin(conn, serving, [sealed])
    merge.fill(conn, serving, copy, [sealed])
    segments.attach(conn, serving.id, copy)
    assert run(conn, runtime, put(conn, filled, runtime.settings, dimensions=16)).status is Status.SUCCEEDED


def test_a_search_that_comes_too_late_for_its_generation_is_told(
    conn: Connection, runtime: Runtime, filled: Collection, say: Callable[[int], str]
) -> None:
    run(conn, runtime, put(conn, filled, runtime.settings, dimensions=16))
    with pytest.raises(GenerationGone):
        found(conn, filled, say(1))


def test_vectors_of_failed_documents_hide_no_others(
    conn: Connection, runtime: Runtime, filled: Collection, provider: ProviderServer, say: Callable[[int], str]
) -> None:
    """They stay for a retry, nearer to the question than all that searches may see, in the only segment."""
    provider.script(refuse_containing=say(999))
    submit(conn, runtime, filled, {"bad": "\n\n".join(say(n) for n in (*range(500, 800), 999))})
    embed.embed_pending(runtime)
    provider.script()
    near = vector_of(say(500), 8)
    with conn.transaction():
        hits = nearest(conn, filled, near, 10, None).hits
    assert len(hits) == 10
    assert "bad" not in {hit.external_id for hit in hits}


def test_a_retry_during_a_change_is_live_with_vectors_in_both(
    conn: Connection, runtime: Runtime, filled: Collection, provider: ProviderServer, say: Callable[[int], str]
) -> None:
    provider.script(refuse_containing=say(999))
    failed = submit(conn, runtime, filled, {"late": f"{say(998)}\n\n{say(999)}"})
    embed.embed_pending(runtime)
    provider.script()
    with conn.transaction():
        jobs.retry(conn, failed.tenant_id, failed.id)
    change = put(conn, filled, runtime.settings, dimensions=16)
    build.rebuild_index(runtime, change.id)
    embed.embed_pending(runtime)
    assert found(conn, filled, say(998)) is None
    ingest.ingest(runtime, failed.id)
    embed.embed_pending(runtime)
    assert [found(conn, filled, say(n)) for n in (998, 999)] == ["late", "late"]
    assert run(conn, runtime, change).status is Status.SUCCEEDED
    assert [found(conn, fresh(conn, filled), say(n)) for n in (998, 999)] == ["late", "late"]


def test_an_unchanged_document_that_was_split_before_is_retried(
    conn: Connection, runtime: Runtime, own_collection: Collection, provider: ProviderServer, say: Callable[[int], str]
) -> None:
    text = f"{say(1)}\n\n{say(2)}"
    provider.script(refuse_containing=say(2))
    first = submit(conn, runtime, own_collection, {"d": text})
    second = submit(conn, runtime, own_collection, {"d": text})
    embed.embed_pending(runtime)
    provider.script()
    for job in (first, second):
        with conn.transaction():
            jobs.retry(conn, job.tenant_id, job.id)
        ingest.ingest(runtime, job.id)
        embed.embed_pending(runtime)
        assert jobs.get(conn, job.tenant_id, job.id).status is Status.SUCCEEDED
    assert found(conn, own_collection, say(2)) == "d"
