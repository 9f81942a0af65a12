"""API keys: made, listed, rotated, revoked, and recognised in a request.

A key is `dbrag_<prefix>_<secret>`. The prefix finds the row; of the secret (32 random bytes) only the SHA-256 is
stored, which is enough for something that nobody can guess: a slow hash protects passwords, which people choose.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg.rows import class_row
from uuid_utils.compat import uuid7

from dbrag.accounts.model import ApiKey, Principal, Rotation, Scope
from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import Invalid, NotFound, Unauthorized

SQL = beside(__file__)
NOTE_EVERY = timedelta(minutes=1)
"""How old a key's `last_used_at` becomes before a request writes it anew; the others only read."""

_SHAPE = re.compile(r"dbrag_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")


def create(
    conn: Connection, tenant_name: str, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> str:
    """Makes a key (and its tenant, where there is none of that name) and returns it: the only time it can be read.

    No scopes means all of them. Raises: Invalid for an unknown scope.
    """
    unknown = set(scopes) - set(Scope)
    if unknown:
        raise Invalid(f"unknown scope {', '.join(sorted(unknown))}: choose from {', '.join(Scope)}")
    prefix, secret = _new()
    conn.execute(SQL.insert_tenant, {"id": uuid7(), "name": tenant_name})
    conn.execute(
        SQL.insert_key,
        {
            "key_name": name,
            "prefix": prefix,
            "hash": _hash(secret),
            "scopes": list(scopes) or list(Scope),
            "expires_at": expires_at,
            "tenant_name": tenant_name,
        },
    )
    return _key(prefix, secret)


def rotate(conn: Connection, prefix: str, grace: timedelta) -> Rotation:
    """Makes a key with the name, tenant and scopes of this one, which goes on working for `grace`.

    Raises: NotFound where no live key has this prefix, or it was rotated before.
    """
    new_prefix, secret = _new()
    ends = conn.execute(
        SQL.rotate_key, {"old_prefix": prefix, "prefix": new_prefix, "hash": _hash(secret), "grace": grace}
    ).fetchone()
    if ends is None:
        raise NotFound(f"no live key that can be rotated has the prefix {prefix}: see `dbrag keys list`")
    return Rotation(_key(new_prefix, secret), old_expires_at=ends[0], expires_at=ends[1])


def authenticate(conn: Connection, bearer_token: str) -> Principal:
    """Who this key acts for; notes that it was used.

    Raises: Unauthorized, in the same words whether the key is malformed, unknown, expired or revoked.
    """
    shape = _SHAPE.fullmatch(bearer_token)
    row = conn.execute(SQL.find_key, {"prefix": shape[1], "note_every": NOTE_EVERY}).fetchone() if shape else None
    if shape is None or row is None or not hmac.compare_digest(row[2], _hash(shape[2])):
        raise Unauthorized("this API key is unknown, expired or revoked: make one with `dbrag keys create`")
    if row[4]:
        conn.execute(SQL.note_use, {"key_id": row[0], "note_every": NOTE_EVERY})
    return Principal(tenant_id=row[1], key_id=row[0], scopes=frozenset(Scope(scope) for scope in row[3]))


def list_keys(conn: Connection, tenant_name: str) -> list[ApiKey]:
    """A tenant's keys, newest first."""
    with conn.cursor(row_factory=class_row(ApiKey)) as cursor:
        return cursor.execute(SQL.list_keys, {"tenant_name": tenant_name}).fetchall()


def revoke(conn: Connection, prefix: str) -> None:
    """Ends a key at once. Raises: NotFound where no live key has this prefix."""
    if conn.execute(SQL.revoke_key, {"prefix": prefix}).fetchone() is None:
        raise NotFound(f"no live key has the prefix {prefix}: see `dbrag keys list`")


def _new() -> tuple[str, str]:
    """A prefix and a secret."""
    return secrets.token_hex(4), secrets.token_urlsafe(32)


def _key(prefix: str, secret: str) -> str:
    return f"dbrag_{prefix}_{secret}"


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
