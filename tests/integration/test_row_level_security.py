"""Queries that forget to say whose rows they want, and the release step of an owner who is no superuser."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier
from uuid_utils.compat import uuid7

from dbrag.accounts import keys
from dbrag.database import migrate
from dbrag.database.pool import Connection, connect, open_pool
from dbrag.database.tenant import across_tenants, as_tenant
from dbrag.devstack.servers import Servers
from dbrag.documents import collections, documents
from dbrag.documents.accept import accept
from dbrag.documents.ingest import ingest
from dbrag.documents.model import Collection, CollectionWish, Submission
from dbrag.embedding.embed import embed_pending
from dbrag.errors import NotFound, Permanent
from dbrag.jobs import jobs
from dbrag.jobs.line import DEPTH
from dbrag.jobs.model import Job, Kind, Queue, Status
from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings

# Written with every document.
WRITTEN = ["collections", "generations", "jobs", "job_items", "job_events", "documents", "document_versions"]


TEXT = "A text."


def submit(conn: Connection, collection: Collection) -> UUID:
    with conn.transaction():
        return accept(conn, collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, [Submission("a", text=TEXT)]).id


@pytest.fixture
def others(conn: Connection, settings: Settings) -> Collection:
    """Another tenant's, with a document that was split."""
    other = keys.authenticate(conn, keys.create(conn, str(uuid7()), "test", [])).tenant_id
    return collections.put(conn, other, "own", CollectionWish(dimensions=8), settings)[0]


@pytest.fixture
def both(conn: Connection, runtime: Runtime, own_collection: Collection, others: Collection) -> tuple[UUID, UUID]:
    """A job of either tenant, own first, whose texts wait for vectors."""
    made = submit(conn, own_collection), submit(conn, others)
    for job_id in made:
        ingest(runtime, job_id)
    return made


def tenants_of(conn: Connection, table: str) -> set[UUID]:
    return {row[0] for row in conn.execute(SQL("SELECT tenant_id FROM {}").format(Identifier(table)))}


def test_every_table_with_a_tenant_shows_and_takes_rows_of_that_tenant_alone(conn: Connection) -> None:
    tables = conn.execute(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, p.polname, p.polcmd, p.polpermissive,"
        " p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid)"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped"
        " LEFT JOIN pg_policy p ON p.polrelid = c.oid"
        " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
    ).fetchall()
    assert {row[0] for row in tables} >= {*WRITTEN, "chunks", "pending", "usage", "api_keys", "catalog_entries"}
    for name, *policy, using in tables:
        assert policy == [True, False, "own_rows", "*", True, "{dbrag_tenant}"], name
        assert "tenant_id = ( SELECT" in using, name


@pytest.mark.parametrize("table", [*WRITTEN, "chunks", "pending"])
@pytest.mark.usefixtures("both")
def test_a_query_without_its_tenant_sees_the_rows_of_who_asks_alone(
    conn: Connection, runtime: Runtime, own_collection: Collection, others: Collection, table: str
) -> None:
    assert tenants_of(conn, table) >= {own_collection.tenant_id, others.tenant_id}
    with as_tenant(runtime.pool, own_collection.tenant_id) as own:
        assert tenants_of(own, table) == {own_collection.tenant_id}


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("tenant", ["", None])
def test_the_role_without_a_tenant_sees_nothing(conn: Connection, tenant: str | None) -> None:
    for table in [*WRITTEN, "chunks", "pending"]:
        with conn.transaction():
            conn.execute("SET LOCAL ROLE dbrag_tenant")
            if tenant is not None:
                conn.execute("SELECT set_config('dbrag.tenant_id', %s, true)", [tenant])
            assert tenants_of(conn, table) == set(), table


def test_another_tenants_rows_cannot_be_changed_deleted_or_made(
    conn: Connection, runtime: Runtime, both: tuple[UUID, UUID], own_collection: Collection, others: Collection
) -> None:
    with as_tenant(runtime.pool, own_collection.tenant_id) as own:
        assert own.execute("UPDATE jobs SET queue = 'low' WHERE queue <> 'low'").rowcount == 1
        assert own.execute("DELETE FROM pending").rowcount == 1
    assert jobs.get(conn, others.tenant_id, both[1]).queue is Queue.DEFAULT
    insert = "INSERT INTO documents (tenant_id, collection_id, external_id) VALUES (%s, %s, 'new')"
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
        as_tenant(runtime.pool, own_collection.tenant_id) as own,
    ):
        own.execute(insert, [others.tenant_id, others.id])


def test_keys_are_no_tenants_to_read(runtime: Runtime, tenant_id: UUID) -> None:
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="api_keys"),
        as_tenant(runtime.pool, tenant_id) as conn,
    ):
        conn.execute("SELECT FROM api_keys")


def test_a_connection_goes_back_to_the_pool_without_a_tenant(settings: Settings, tenant_id: UUID) -> None:
    pool = open_pool(settings, 1)
    whose = "SELECT current_user = session_user, current_setting('dbrag.tenant_id', true)"
    try:
        with as_tenant(pool, tenant_id) as conn:
            assert conn.execute(whose).fetchone() == (False, str(tenant_id))
        with pool.connection() as conn:
            assert conn.execute(whose).fetchone() == (True, "")
    finally:
        pool.close()


def test_what_looks_across_tenants_leaves_the_rest_of_its_transaction_bound(
    runtime: Runtime, tenant_id: UUID, both: tuple[UUID, UUID]
) -> None:
    count = "SELECT count(*) FROM jobs WHERE id = ANY(%s)"
    with as_tenant(runtime.pool, tenant_id) as conn:
        with across_tenants(conn):
            assert conn.execute(count, [list(both)]).fetchone() == (2,)
        assert conn.execute(count, [list(both)]).fetchone() == (1,)
        with pytest.raises(ZeroDivisionError), across_tenants(conn):
            raise ZeroDivisionError
        assert conn.execute(count, [list(both)]).fetchone() == (1,)
        with pytest.raises(psycopg.errors.DivisionByZero), conn.transaction(), across_tenants(conn):
            conn.execute("SELECT 1 / 0")
        assert conn.execute(count, [list(both)]).fetchone() == (1,)


def test_a_place_in_a_queue_counts_the_jobs_of_others(
    conn: Connection, runtime: Runtime, own_collection: Collection, others: Collection
) -> None:
    submit(conn, others)
    job_id = submit(conn, own_collection)
    seen = jobs.get(conn, own_collection.tenant_id, job_id, DEPTH)
    with as_tenant(runtime.pool, own_collection.tenant_id) as own:
        found = jobs.get(own, own_collection.tenant_id, job_id, DEPTH)
    assert found.queue_position == seen.queue_position
    assert seen.queue_position
    assert seen.queue_position > 1


class Owner:
    """A role that may make roles or not, and is no superuser, with a database of its own."""

    def __init__(self, url: str, servers: Servers, *options: str) -> None:
        self.name = f"owner_{uuid7().hex}"
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(
                SQL("CREATE ROLE {} LOGIN PASSWORD 'owner' " + " ".join(options)).format(Identifier(self.name))
            )
            conn.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(self.name), Identifier(self.name)))
        with psycopg.connect(make_conninfo(url, dbname=self.name), autocommit=True) as conn:
            conn.execute("CREATE EXTENSION vector")
        self.url = make_conninfo(url, dbname=self.name, user=self.name, password="owner")
        self.env = servers.env | {"DATABASE_URL": self.url}


@pytest.fixture
def admin(quiet_servers: Servers, settings: Settings) -> str:
    """The URL of a superuser of a cluster in which the role stands."""
    return quiet_servers.env["DATABASE_URL"]


@pytest.fixture
def owner(admin: str, quiet_servers: Servers, settings: Settings) -> Iterator[Owner]:
    owner = Owner(admin, quiet_servers)
    yield owner
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(owner.name)))
        conn.execute(SQL("DROP ROLE {}").format(Identifier(owner.name)))


def owners_settings(owner: Owner, settings: Settings) -> Settings:
    return settings.model_copy(update={"database_url": type(settings.database_url)(owner.url)})


def test_an_owner_who_may_not_make_the_role_is_told_what_an_administrator_has_to_run(
    owner: Owner, settings: Settings
) -> None:
    with pytest.raises(Permanent, match=f"GRANT dbrag_tenant TO {owner.name}"):
        migrate.upgrade(owners_settings(owner, settings))


def test_an_owner_who_is_no_superuser_sees_all_and_lends_each_tenant_its_own(
    admin: str, owner: Owner, settings: Settings
) -> None:
    """Documents are accepted as tenants, embedded as the owner, and deleted as the tenant again, vectors and all."""
    with psycopg.connect(admin) as conn:
        conn.execute(SQL("GRANT dbrag_tenant TO {}").format(Identifier(owner.name)))
    settings = owners_settings(owner, settings)
    migrate.upgrade(settings)
    runtime = open_runtime(settings)
    try:
        found = [_ingested(runtime, settings, name) for name in ("one", "two")]
        assert [job.status for job, _ in found] == [Status.SUCCEEDED] * 2
        (_, one), (_, two) = found
        table = Identifier(f"generation_{one.generation_id}")
        with as_tenant(runtime.pool, one.tenant_id) as conn:
            assert conn.execute(SQL("SELECT count(*) FROM {}").format(table)).fetchone() == (1,)
            documents.delete(conn, one, "a")
            assert conn.execute(SQL("SELECT count(*) FROM {}").format(table)).fetchone() == (0,)
            with pytest.raises(NotFound):
                documents.get(conn, two, "a")
        with as_tenant(runtime.pool, two.tenant_id) as conn:
            assert documents.get(conn, two, "a").chunks == 1
    finally:
        runtime.close()


def _ingested(runtime: Runtime, settings: Settings, name: str) -> tuple[Job, Collection]:
    with connect(settings) as conn:
        tenant_id = keys.authenticate(conn, keys.create(conn, name, "test", [])).tenant_id
    with as_tenant(runtime.pool, tenant_id) as conn:
        collection = collections.put(conn, tenant_id, "own", CollectionWish(dimensions=8), settings)[0]
        job_id = submit(conn, collection)
    ingest(runtime, job_id)
    embed_pending(runtime)
    with as_tenant(runtime.pool, tenant_id) as conn:
        return jobs.get(conn, tenant_id, job_id), collection
