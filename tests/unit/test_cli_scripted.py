"""Commands against a scripted API: prices, usage, exit codes, and what the answers that go wrong look like."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted_api import JOB, Answer, Script, Seen, scripted_api
from typer.testing import CliRunner, Result

from dbrag.cli.exit_codes import ExitCode
from dbrag.cli.main import app

Dbrag = Callable[..., Result]
COLLECTION = {
    "name": "docs",
    "model": "m",
    "dimensions": 8,
    "storage": "halfvec",
    "created_at": "2026-11-28T12:00:00Z",
}
SPENT = {"prompt_tokens": 1200, "completion_tokens": 34, "texts": 5, "texts_from_cache": 1, "cost_usd": 0.000024}


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.chdir(tmp_path)
    with scripted_api() as script:
        monkeypatch.setenv("DBRAG_API_URL", script.url)
        monkeypatch.setenv("DBRAG_API_KEY", "key")
        yield script


@pytest.fixture
def dbrag(script: Script) -> Dbrag:
    return lambda *arguments: CliRunner().invoke(app, arguments)


def priced(seen: Seen) -> Answer:
    if seen.method == "GET":
        return 200, {}, COLLECTION
    documents = seen.body.count(b'filename="')
    refused = {"index": 0, "external_id": "empty.txt", "code": "invalid", "detail": "the file is empty"}
    counted = {"documents": documents - 1, "chunks": 10, "texts": 8, "texts_from_cache": 2, "tokens": 1000}
    return 200, {}, counted | {"refused": [refused], "cost_usd": 0.00002, "model": "m", "exact": documents == 2}


def test_a_dry_run_adds_up_what_all_batches_would_cost_and_keeps_nothing(script: Script, dbrag: Dbrag) -> None:
    for number in range(5):
        Path(f"{number}.txt").write_text("text")
    script.answer = priced
    run = dbrag("ingest", ".", "-c", "docs", "--dry-run", "--batch-files", "2")
    assert run.exit_code == 0
    price = "3,000 tokens to be paid for (6 texts are known): about $0.00006 with m"
    refused = "  ✗ empty.txt  invalid: the file is empty"
    assert run.stdout.splitlines() == [f"2 documents, 30 chunks, {price}. 3 more would fail.", *[refused] * 3]
    posts = [seen for seen in script.seen if seen.method == "POST"]
    assert [seen.path for seen in posts] == ["/v1/collections/docs/documents:batch?dry_run=true"] * 3
    assert not Path(".dbrag").exists()
    as_json = json.loads(dbrag("ingest", ".", "-c", "docs", "--dry-run", "--json").stdout)
    assert (as_json["documents"], as_json["tokens"], as_json["sent_before"]) == (4, 1000, 0)


def test_a_price_that_cannot_be_told_is_an_error_that_says_so(script: Script, dbrag: Dbrag) -> None:
    Path("a.txt").write_text("text")
    unknown = {"code": "invalid", "detail": "no", "errors": [{"pointer": "?dry_run", "detail": "not known"}]}
    script.answers = [(200, {}, COLLECTION), (422, {}, unknown)]
    run = dbrag("ingest", "a.txt", "-c", "docs", "--dry-run")
    assert (run.exit_code, run.stdout) == (ExitCode.FAILED, "")
    assert "error: This API cannot tell a price before" in run.stderr


def test_a_price_without_a_collection_says_how_to_make_one(script: Script, dbrag: Dbrag) -> None:
    Path("a.txt").write_text("text")
    script.answer = lambda _: (404, {}, {"code": "not_found", "detail": "there is no collection 'docs'"})
    said = dbrag("ingest", "a.txt", "-c", "docs", "--dry-run").stderr
    assert "dbrag collections create docs" in said


def test_what_is_left_after_an_error_is_sent_by_the_same_command(script: Script, dbrag: Dbrag) -> None:
    for name in ("a.txt", "b.txt"):
        Path(name).write_text(name)
    job = JOB | {"status": "succeeded", "counts": {"total": 1, "completed": 1}}
    answers: list[Answer] = [(202, {}, job), (403, {}, {"detail": "The key lacks the scope."}), (202, {}, job)]

    def answer(seen: Seen) -> Answer:
        if seen.method == "POST":
            return answers.pop(0)
        return 200, {}, job if "/jobs/" in seen.path else COLLECTION

    script.answer = answer
    first = dbrag("ingest", ".", "-c", "docs", "--batch-files", "1")
    assert first.exit_code == ExitCode.FAILED
    assert first.stderr.endswith("the same command sends the rest.\nerror: The key lacks the scope.\n")
    assert dbrag("ingest", ".", "-c", "docs", "--batch-files", "1").exit_code == 0
    sent = [seen for seen in script.seen if seen.method == "POST"]
    assert [b"b.txt" in seen.body for seen in sent] == [False, True, True]
    assert sent[1].headers["Idempotency-Key"] == sent[2].headers["Idempotency-Key"]


def test_usage_is_a_table_with_its_sum_and_the_budget(script: Script, dbrag: Dbrag) -> None:
    budget = {"day_usd": 1.5, "month_usd": None, "spent_day_usd": 0.5, "spent_month_usd": 0.5}
    budget |= {"is_spent": True, "resets_at": "2026-11-29T00:00:00Z"}
    rows = [SPENT | {"collection": "docs", "about": "collection"}, SPENT | {"collection": None, "about": "searches"}]
    report = {"total": SPENT | {"texts": 10}, "budget": budget}
    pages = [report | {"data": rows[:1], "has_more": True, "next_cursor": "c"}, report | {"data": rows[1:]}]
    script.answers = [(200, {}, page) for page in pages * 2]
    run = dbrag("usage", "--by", "collection", "--since", "2026-11-01", "--until", "2026-11-28")
    assert run.exit_code == 0, run.output
    assert [line.split() for line in run.stdout.splitlines()] == [
        ["collection", "tokens", "texts", "from", "cache", "cost"],
        ["docs", "1,234", "5", "1", "$0.000024"],
        ["(searches)", "1,234", "5", "1", "$0.000024"],
        ["total", "1,234", "10", "1", "$0.000024"],
        ["budget:", "$0.50", "of", "$1.50", "a", "day;", "jobs", "wait", "until", "2026-11-29", "00:00", "UTC"],
    ]
    bounds = "since=2026-11-01T00%3A00%3A00%2B00%3A00&until=2026-11-28T00%3A00%3A00%2B00%3A00"
    assert script.seen[0].path == f"/v1/usage?by=collection&limit=200&{bounds}"
    assert json.loads(dbrag("usage", "--json").stdout)["data"] == rows
    assert dbrag("usage", "--by", "weather").exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (429, {"Retry-After": "3600"}, ExitCode.TRY_LATER),
        (503, {"Retry-After": "3600"}, ExitCode.TRY_LATER),
        (403, {}, ExitCode.FAILED),
        (500, {}, ExitCode.FAILED),
    ],
)
def test_the_exit_code_says_whether_trying_later_helps(
    script: Script, dbrag: Dbrag, status: int, headers: dict[str, str], code: ExitCode
) -> None:
    script.answers = [(status, headers, {"detail": "No."})]
    run = dbrag("jobs", "list")
    assert (run.exit_code, run.stdout) == (code, "")
    assert run.stderr.startswith("error: No.")


def test_a_wrong_key_is_answered_with_where_to_give_the_right_one(script: Script, dbrag: Dbrag) -> None:
    script.answers = [(401, {}, {"detail": "the API key is unknown", "code": "unauthorized"})]
    said = dbrag("jobs", "list").stderr
    assert said == "error: the API key is unknown. Give the key with --key or DBRAG_API_KEY.\n"


def test_a_file_that_is_too_large_fails_alone_and_is_not_taken_for_sent(script: Script, dbrag: Dbrag) -> None:
    Path("a.txt").write_text("text")
    script.answer = lambda seen: (200, {}, COLLECTION) if seen.method == "GET" else (413, {}, {"detail": "too large"})
    for _ in range(2):
        run = dbrag("ingest", "a.txt", "-c", "docs", "--json")
        assert run.exit_code == ExitCode.SOME_FAILED
        result = json.loads(run.stdout)
        assert result["failed"][0]["external_id"] == "a.txt"
        assert (result["sent_before"], result["documents"]["failed"]) == (0, 1)


def test_several_jobs_are_followed_at_once(script: Script, dbrag: Dbrag) -> None:
    looks: dict[str, int] = {}

    def answer(seen: Seen) -> Answer:
        job_id = seen.path.split("/")[3]
        if "/events" in seen.path or "/items" in seen.path:
            return 404, {}, {}
        looks[job_id] = looks.get(job_id, 0) + 1
        # Each ends only after all have been asked for twice: one after the other they would never end.
        ended = len(looks) == 3 and min(looks.values()) >= 2
        counts = {"total": 1, "completed": 1}
        return 200, {}, JOB | {"id": job_id, "status": "succeeded" if ended else "running", "counts": counts}

    script.answer = answer
    run = dbrag("jobs", "watch", "1", "2", "3", "--json")
    assert run.exit_code == 0
    assert [job["status"] for job in json.loads(run.stdout)] == ["succeeded"] * 3
