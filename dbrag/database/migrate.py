"""The release step: brings the schema to what the code needs, one process at a time; others wait for it."""

import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection as AlchemyConnection
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

import migrations
from dbrag.database.pool import CONNECT_OPTIONS, Connection, connect
from dbrag.errors import Permanent, Transient
from dbrag.settings import Settings

PGVECTOR_AT_LEAST = (0, 8)
# Any constant will do, as long as only releases of dbrag take it.
RELEASE_LOCK = 0x6462726167


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The revision that the database has (None: empty) and the one that this code needs.

    `is_newer`: the database's is none that this code knows, so a later release has made it.
    """

    current: str | None
    head: str
    is_newer: bool = False

    @property
    def is_current(self) -> bool:
        return self.current == self.head


def state(conn: Connection) -> SchemaState:
    """Compares the database with the code."""
    with conn.cursor() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
        current = None
        if cursor.fetchone() == (True,):
            row = cursor.execute("SELECT version_num FROM alembic_version").fetchone()
            current = str(row[0]) if row else None
    head = _head()
    return SchemaState(current, head, is_newer=current not in (None, head) and current not in _revisions())


def upgrade(settings: Settings) -> str:
    """Runs the missing migrations in one transaction and says what it did.

    Another release that runs at the same time waits for this one; a table that stays locked for 10 s makes the
    release fail, instead of making every query behind it wait.

    Raises: Transient where the server or a lock is not to be had, Permanent where pgvector is missing or too old.
    """
    dsn = settings.database_url.get_secret_value()
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn, **CONNECT_OPTIONS))
    try:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '120s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": RELEASE_LOCK})
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))
            connection.execute(text("SET LOCAL statement_timeout = '15min'"))
            _check_pgvector(connection)
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    # The migrations' own statements raise psycopg's errors, which SQLAlchemy does not wrap.
    except (OperationalError, psycopg.OperationalError) as exc:
        raise Transient(f"the schema was not changed: {_cause(exc)}", code="database_unavailable") from exc
    except (DBAPIError, psycopg.Error) as exc:
        cause = _cause(exc)
        hint = "; let a superuser run CREATE EXTENSION vector first" if "extension" in cause else ""
        raise Permanent(f"the schema was not changed: {cause}{hint}", code="migration_failed") from exc
    finally:
        engine.dispose()
    return f"the schema is at {_head()}"


def wait(settings: Settings, for_s: float, pause_s: float = 2.0) -> str:
    """Waits until this code can run with the schema, and says which it is: its own, or that of a newer release.

    Raises: Transient where it is not so after `for_s` seconds, with what was missing last.
    """
    until = time.monotonic() + for_s
    while True:
        try:
            with connect(settings) as conn:
                schema = state(conn)
            if schema.is_current or schema.is_newer:
                return f"the schema is at {schema.current}{', of a newer release' if schema.is_newer else ''}"
            missing = f"the schema is at {schema.current or 'nothing yet'}, this code needs {schema.head}"
            missing += ": run `dbrag db upgrade`"
        except Transient as exc:
            missing = str(exc)
        if time.monotonic() >= until:
            raise Transient(f"{missing}; waited {for_s:g} s", code="schema_behind")
        time.sleep(pause_s)


def _cause(exc: DBAPIError | psycopg.Error) -> str:
    """What PostgreSQL says, and what it would do about it."""
    cause = exc.orig if isinstance(exc, DBAPIError) else exc
    if not isinstance(cause, psycopg.Error) or cause.diag.message_primary is None:
        return str(cause)
    return "; ".join(part for part in (cause.diag.message_primary, cause.diag.message_hint) if part)


def _check_pgvector(connection: AlchemyConnection) -> None:
    available, installed = connection.execute(
        text(
            "SELECT (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),"
            " (SELECT extversion FROM pg_extension WHERE extname = 'vector')"
        )
    ).one()
    wanted = ".".join(map(str, PGVECTOR_AT_LEAST))
    if available is None:
        raise Permanent(f"this PostgreSQL has no pgvector: install pgvector >= {wanted} on the server", code="pgvector")
    if _version(installed or available) < PGVECTOR_AT_LEAST:
        raise Permanent(
            f"pgvector is {installed or available}, dbrag needs >= {wanted}: upgrade it on the server, then run "
            "ALTER EXTENSION vector UPDATE",
            code="pgvector",
        )


def _version(text_: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text_.split(".")[:2])


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))).replace("%", "%%"))
    return config


def _revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _head() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise Permanent("the code has no migrations: the installation is incomplete")
    return head
