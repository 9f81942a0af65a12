"""Fixtures for tests of registered databases: one beside dbrag's own on the same server, and a role with few rights."""

from collections.abc import Iterator
from itertools import count

import pytest
from psycopg import connect
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from dbrag.catalog.source import Source, open_source
from dbrag.database.pool import Connection
from dbrag.settings import Settings

DATABASE, ROLE, PASSWORD = "customers_own", "catalog_reader", "s3cret-of-the-reader"
SCHEMAS = (f"s{number}" for number in count())


@pytest.fixture(scope="session")
def source_settings(settings: Settings) -> Settings:
    """Loopback is allowed; statements take a second at most."""
    return settings.model_copy(update={"connections_allow": ["127.0.0.0/8"], "source_timeout_s": 1.0})


@pytest.fixture(scope="session")
def role() -> Identifier:
    return Identifier(ROLE)


@pytest.fixture(scope="session")
def owner_dsn(settings: Settings) -> Iterator[str]:
    """The customer's database, as its superuser."""
    own = settings.database_url.get_secret_value()
    with connect(own, autocommit=True) as conn:
        conn.execute(SQL("CREATE DATABASE {}").format(Identifier(DATABASE)))
        conn.execute(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(ROLE), PASSWORD))
        yield make_conninfo(own, dbname=DATABASE)
        conn.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(DATABASE)))
        conn.execute(SQL("DROP ROLE {}").format(Identifier(ROLE)))


@pytest.fixture(scope="session")
def reader_dsn(owner_dsn: str) -> str:
    """The same as the role with few rights."""
    place = conninfo_to_dict(owner_dsn)
    return f"postgresql://{ROLE}:{PASSWORD}@{place['host']}:{place['port']}/{DATABASE}"


@pytest.fixture
def owner(owner_dsn: str) -> Iterator[Connection]:
    with connect(owner_dsn, autocommit=True) as conn:
        yield conn


@pytest.fixture
def schema(owner: Connection, role: Identifier) -> Iterator[str]:
    """An empty schema, where `owner` makes its tables and the reader may read all that is made."""
    name = next(SCHEMAS)
    names = {"schema": Identifier(name), "role": role}
    owner.execute(SQL("CREATE SCHEMA {schema}").format(**names))
    owner.execute(SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**names))
    owner.execute(SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}").format(**names))
    owner.execute(SQL("SET search_path = {schema}").format(**names))
    yield name
    owner.execute(SQL("DROP SCHEMA {schema} CASCADE").format(**names))


@pytest.fixture
def source(reader_dsn: str, source_settings: Settings) -> Iterator[Source]:
    with open_source(reader_dsn, source_settings) as source:
        yield source
