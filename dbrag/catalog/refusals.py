"""What a registered database fails with, in dbrag's own words: the server's may quote the DSN, a password or data."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import errors

from dbrag.catalog.model import Table
from dbrag.errors import DbragError, Permanent, Transient

Translate = Callable[[psycopg.Error], DbragError]


@dataclass(frozen=True, slots=True)
class _Sign:
    """A refused connection: libpq hides its SQLSTATE, so `pattern` looks for words in the message."""

    pattern: re.Pattern[str]
    error: type[DbragError]
    code: str
    detail: str


def _sign(pattern: str, error: type[DbragError], code: str, detail: str) -> _Sign:
    return _Sign(re.compile(pattern, re.I), error, code, detail)


# In English, as libpq always writes and most servers do; another language is taken for a passing failure.
_SIGNS = [
    _sign(
        r"pg_hba\.conf|authentication failed|no password supplied|role .* (does not exist|is not permitted)|"
        r"no such user|permission denied for database",
        Permanent,
        "source_login_refused",
        "The database refuses the login: check user, password, sslmode, its pg_hba.conf and the right CONNECT.",
    ),
    _sign(
        r"database .* does not exist|no such database|not currently accepting connections",
        Permanent,
        "source_no_database",
        "The server has no such database, or lets nobody into it.",
    ),
    _sign(
        r"too many (clients|connections)|connection slots|no more connections allowed",
        Transient,
        "source_too_many_connections",
        "The database has no connection to spare.",
    ),
    _sign(
        r"unsupported startup parameter",
        Permanent,
        "source_pooled",
        "A pooler before the database does not pass on options (read only, time limits): name the database itself.",
    ),
    _sign(
        r"\bSSL\b|\bTLS\b|certificate|private key|channel binding",
        Permanent,
        "source_tls_refused",
        "TLS as the DSN asks for it is not to be had: check sslmode, the certificates and what the server offers.",
    ),
]
_GONE_STATES = ("08", "57P")
_BUSY_STATES = ("53", "55P03", "40")


def refused_connection(error: psycopg.Error) -> DbragError:
    """Why there is no connection."""
    message = str(error)
    for sign in _SIGNS:
        if sign.pattern.search(message):
            return sign.error(sign.detail, code=sign.code)
    return Transient(
        "The database cannot be reached, or is not ready: check host and port, firewalls between it and the workers, "
        "and whether it runs.",
        code="source_unreachable",
    )


def failed_query(error: psycopg.Error) -> DbragError:
    """Why the structure of tables could not be read."""
    state = error.sqlstate
    if lost := _lost(error):
        return lost
    if isinstance(error, errors.QueryCanceled):
        return Transient("The database took too long to say what its tables are like.", code="source_timeout")
    if state and state.startswith(_BUSY_STATES):
        return Transient(f"The database is busy ({_name(error)}).", code="source_busy")
    return Permanent(f"The database does not say what its tables are like ({_name(error)}).", code="source_failed")


def failed_sample(table: Table) -> Translate:
    """Why rows of this table could not be read."""

    def translate(error: psycopg.Error) -> DbragError:
        return _lost(error) or _unread(error, table)

    return translate


def _unread(error: psycopg.Error, table: Table) -> Permanent:
    match error:
        case errors.InsufficientPrivilege():
            return Permanent(
                f"The role may not read {table.full_name}, or what it is made from: GRANT SELECT ON it to the role.",
                code="permission_denied",
            )
        case errors.UndefinedTable() | errors.UndefinedColumn() if error.diag.statement_position:
            # Our own statement's names have a position in it; those in a function that a view calls have none.
            return Permanent(f"{table.full_name} is gone, or changed meanwhile: update again.", code="table_gone")
        case errors.QueryCanceled() | errors.LockNotAvailable():
            return Permanent(
                f"Rows of {table.full_name} were not to be had in time: it is slow (DBRAG_SOURCE_TIMEOUT_S) or locked.",
                code="sample_timeout",
            )
        case _:
            return Permanent(f"{table.full_name} cannot be read ({_name(error)}).", code="unreadable")


def _lost(error: psycopg.Error) -> Transient | None:
    state = error.sqlstate
    if (state is None and isinstance(error, psycopg.OperationalError)) or (state or "").startswith(_GONE_STATES):
        return Transient("The connection to the database was lost midway.", code="source_gone")
    return None


def _name(error: psycopg.Error) -> str:
    """The SQLSTATE's name, such as DivisionByZero; its number where psycopg does not know it."""
    return type(error).__name__ if type(error).__module__ == errors.__name__ else str(error.sqlstate)
