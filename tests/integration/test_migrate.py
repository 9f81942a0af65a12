"""The release step."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from dbrag.database import migrate
from dbrag.database.pool import connect
from dbrag.devstack.servers import Servers
from dbrag.errors import Transient
from dbrag.settings import Settings


@pytest.fixture
def empty(quiet_servers: Servers, request: pytest.FixtureRequest) -> Settings:
    """Settings of a new database."""
    url = quiet_servers.env["DATABASE_URL"]
    name = f"empty_{request.node.name}"
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return Settings.model_validate({**quiet_servers.env, "DATABASE_URL": make_conninfo(url, dbname=name)})


def test_releases_at_the_same_time_bring_the_schema_to_its_head_once(empty: Settings) -> None:
    with connect(empty) as conn:
        assert migrate.state(conn).current is None
    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(lambda _: migrate.upgrade(empty), range(3)))
    assert said == ["the schema is at 0002"] * 3
    with connect(empty) as conn:
        assert migrate.state(conn).is_current


def test_a_server_that_is_away_is_said_in_one_sentence(empty: Settings) -> None:
    away = empty.model_copy(update={"database_url": type(empty.database_url)("postgresql://127.0.0.1:1/x")})
    with pytest.raises(Transient, match="the schema was not changed"):
        migrate.upgrade(away)
