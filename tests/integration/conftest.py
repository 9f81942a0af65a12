"""A database with the schema, and what a worker opens, without any process of ours running."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier
from redis import Redis
from typer.testing import CliRunner, Result
from uuid_utils.compat import uuid7

from dbrag.accounts import keys
from dbrag.cli.main import app
from dbrag.database import migrate
from dbrag.database.pool import Connection, connect
from dbrag.devstack.servers import Servers
from dbrag.documents import collections
from dbrag.documents.model import Collection, CollectionWish
from dbrag.jobs.relay import Relay
from dbrag.runtime import Runtime, open_runtime
from dbrag.settings import Settings
from tests.provider.process import ProviderServer
from tests.running import Platform


@pytest.fixture(scope="session")
def quiet_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers.start(tmp_path_factory.mktemp("quiet")) as servers:
        yield servers


@pytest.fixture(scope="session")
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as provider:
        yield provider


@pytest.fixture(scope="session")
def settings(quiet_servers: Servers, provider: ProviderServer) -> Settings:
    urls = quiet_servers.env | {"OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "test"}
    settings = Settings.model_validate(urls | {"publish_again_s": 1, "lease_s": 6})
    migrate.upgrade(settings)
    return settings


@pytest.fixture(scope="session")
def runtime(settings: Settings) -> Iterator[Runtime]:
    runtime = open_runtime(settings)
    yield runtime
    runtime.close()


@pytest.fixture
def empty(quiet_servers: Servers, request: pytest.FixtureRequest) -> Settings:
    """Settings of a new database."""
    url = quiet_servers.env["DATABASE_URL"]
    name = f"empty_{request.node.name}"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return Settings.model_validate({**quiet_servers.env, "DATABASE_URL": make_conninfo(url, dbname=name)})


@pytest.fixture
def conn(settings: Settings) -> Iterator[Connection]:
    """Each statement is a transaction."""
    with connect(settings, autocommit=True) as conn:
        yield conn


@pytest.fixture
def tenant_id(conn: Connection) -> UUID:
    name = str(uuid7())
    return keys.authenticate(conn, keys.create(conn, name, "test", [])).tenant_id


@pytest.fixture
def own_collection(conn: Connection, tenant_id: UUID, settings: Settings) -> Collection:
    """Short chunks, small vectors."""
    wish = CollectionWish(dimensions=8, max_tokens=20, overlap_tokens=0)
    return collections.put(conn, tenant_id, "own", wish, settings)[0]


@pytest.fixture
def redis(settings: Settings, conn: Connection) -> Iterator[Redis]:
    """The broker, empty, and no job of another test waiting, or started just now."""
    conn.execute("UPDATE jobs SET publish_at = now() + interval '1 day' WHERE status IN ('queued', 'retrying', 'held')")
    conn.execute("UPDATE jobs SET started_at = started_at - interval '1 day'")
    conn.execute("UPDATE canaries SET sent_at = now(), seen_at = NULL")
    with Redis.from_url(settings.celery_broker_url.get_secret_value()) as redis:
        redis.flushall()
        yield redis


@pytest.fixture
def relay(runtime: Runtime) -> Relay:
    return Relay(runtime.pool, runtime.broker, runtime.settings)


@pytest.fixture
def dbrag(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `dbrag …` in an empty folder, with the platform's addresses in the environment."""
    monkeypatch.chdir(tmp_path)
    key = platform.client.headers["Authorization"].removeprefix("Bearer ")
    for name, value in {**platform.servers.env, "DBRAG_API_URL": platform.api.url, "DBRAG_API_KEY": key}.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments, **options: CliRunner().invoke(app, arguments, **options)
