"""The release step."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from dbrag.database import migrate
from dbrag.database.pool import connect
from dbrag.errors import Transient
from dbrag.settings import Settings

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"


def test_releases_at_the_same_time_bring_the_schema_to_its_head_once(empty: Settings) -> None:
    with connect(empty) as conn:
        assert migrate.state(conn).current is None
    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(lambda _: migrate.upgrade(empty), range(3)))
    with connect(empty) as conn:
        state = migrate.state(conn)
    assert state.is_current
    assert said == [f"the schema is at {state.head}"] * 3


def test_a_process_waits_until_the_schema_is_there(empty: Settings) -> None:
    with pytest.raises(Transient, match=r"the schema is at nothing yet, .*run `dbrag db upgrade`"):
        migrate.wait(empty, for_s=0)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(migrate.wait, empty, for_s=60, pause_s=0.05)
        said = migrate.upgrade(empty)
        assert waiting.result() == said


def test_a_process_starts_beside_the_schema_of_a_newer_release(empty: Settings) -> None:
    migrate.upgrade(empty)
    with connect(empty) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
        assert migrate.state(conn).is_newer
        assert not migrate.state(conn).is_current
    assert migrate.wait(empty, for_s=0) == "the schema is at 9999, of a newer release"


def test_a_process_waits_for_the_server_too(empty: Settings) -> None:
    nowhere = empty.model_copy(update={"database_url": SecretStr("postgresql://127.0.0.1:1/nowhere")})
    with pytest.raises(Transient, match="PostgreSQL cannot be reached"):
        migrate.wait(nowhere, for_s=0)


BEFORE_GENERATIONS = """
INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 't');
INSERT INTO collections (tenant_id, name, max_tokens, overlap_tokens) SELECT id, 'c', 100, 0 FROM tenants;
INSERT INTO generations (tenant_id, collection_id, model, dimensions, storage)
SELECT tenant_id, id, 'm', 8, 'halfvec' FROM collections;
INSERT INTO jobs (id, tenant_id, kind, queue, collection_id)
SELECT gen_random_uuid(), tenant_id, kind, 'low', id
FROM collections, unnest(ARRAY['ingest_document', 'rebuild_index']) AS kind;
INSERT INTO documents (tenant_id, collection_id, external_id, updated_at)
SELECT tenant_id, id, 'd', '2026-01-02' FROM collections;
INSERT INTO document_versions (tenant_id, document_id, version, status, job_id, item_index)
SELECT d.tenant_id, d.id, 1, 'live', j.id, 0 FROM documents d, jobs j WHERE j.kind = 'ingest_document';
INSERT INTO chunks (tenant_id, generation_id, version_id, position, start_offset, end_offset, tokens, hash, text)
SELECT v.tenant_id, g.id, v.id, 0, 0, 1, 1, sha256('t'), 't' FROM document_versions v, generations g;
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0001');
"""


def test_what_an_earlier_release_wrote_is_carried_over(empty: Settings) -> None:
    with connect(empty) as conn:
        conn.execute((VERSIONS / "0001_the_main_job.sql").read_text())
        conn.execute(BEFORE_GENERATIONS)
    migrate.upgrade(empty)
    with connect(empty) as conn:
        chunks = conn.execute("SELECT c.id FROM chunks h JOIN collections c ON c.id = h.collection_id").fetchall()
        assert len(chunks) == 1
        statuses = conn.execute("SELECT status, served_at IS NOT NULL FROM generations").fetchall()
        assert statuses == [("serving", True)]
        whose = "SELECT kind FROM jobs j JOIN generations g ON g.id = j.generation_id"
        assert conn.execute(whose).fetchall() == [("rebuild_index",)]
        assert conn.execute("SELECT live_at::date::text FROM document_versions").fetchall() == [("2026-01-02",)]


def test_a_server_that_is_away_is_said_in_one_sentence(empty: Settings) -> None:
    away = empty.model_copy(update={"database_url": type(empty.database_url)("postgresql://127.0.0.1:1/x")})
    with pytest.raises(Transient, match="the schema was not changed"):
        migrate.upgrade(away)
