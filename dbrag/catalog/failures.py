"""What a registered database fails with, in dbrag's words: a server's own may quote the password, the DSN or data."""

import psycopg
from psycopg import errors

from dbrag.errors import DbragError, Permanent, Transient

_TLS = ("ssl", "tls", "certificate")


def failure(error: psycopg.Error) -> DbragError:
    """The error of dbrag that stands for one of psycopg's."""
    match error:
        case errors.InvalidPassword() | errors.InvalidAuthorizationSpecification():
            return _refused(error)
        case errors.InvalidCatalogName():
            return Permanent("the server has no database of this name", code="source_no_database")
        case errors.InsufficientPrivilege():
            return Permanent("the role may not connect to it: GRANT CONNECT ON DATABASE", code="source_login_refused")
        case errors.TooManyConnections() | errors.CannotConnectNow():
            return Transient("the server takes no more sessions now", code="source_too_many_connections")
        case errors.AdminShutdown() | errors.CrashShutdown() | errors.IdleInTransactionSessionTimeout():
            return _gone()
        case errors.QueryCanceled() | errors.LockNotAvailable():
            return Transient("the server took longer than DBRAG_SOURCE_TIMEOUT_S", code="source_timeout")
        case psycopg.OperationalError() if error.sqlstate is None:
            return _without_code(str(error))
        case _:
            return Permanent(f"the server failed ({type(error).__name__})", code="source_failed")


def _without_code(words: str) -> DbragError:
    """libpq's own failures have no code; its words are looked at and not repeated."""
    low = words.lower()
    if "password authentication" in low or "no password supplied" in low or "pg_hba" in low:
        return Permanent("the server refuses this role or password", code="source_login_refused")
    if "does not exist" in low and "database" in low:
        return Permanent("the server has no database of this name", code="source_no_database")
    if "server closed the connection" in low or "connection is lost" in low or "terminating connection" in low:
        return _gone()
    if "too many" in low and ("clients" in low or "connections" in low):
        return Transient("the server takes no more sessions now", code="source_too_many_connections")
    if any(word in low for word in _TLS):
        return Permanent(
            "no TLS as `sslmode` demands it: the server has none, or its certificate is not trusted",
            code="source_tls_refused",
        )
    return Transient("the server does not answer at its address", code="source_unreachable")


def _refused(error: psycopg.Error) -> DbragError:
    if any(word in str(error).lower() for word in ("ssl", "no encryption")):
        return Permanent(
            "the server wants another `sslmode` for this role: see its pg_hba.conf", code="source_tls_refused"
        )
    return Permanent("the server refuses this role or password", code="source_login_refused")


def _gone() -> Transient:
    return Transient("the server ended the session", code="source_gone")
