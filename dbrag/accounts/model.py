"""Who asks: the tenant behind an API key, and what the key may do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Scope(StrEnum):
    """What a key may do: read (look), search, ingest (write documents, steer jobs), manage (collections, indexes)."""

    READ = "read"
    SEARCH = "search"
    INGEST = "ingest"
    MANAGE = "manage"


@dataclass(frozen=True, slots=True)
class Principal:
    """A tenant, acting through one of its keys."""

    tenant_id: UUID
    key_id: int
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who owns data and pays; `weight` is its share of the workers beside others that wait in the same queue."""

    name: str
    weight: int
    created_at: datetime
    waiting_jobs: int
    waiting_bytes: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed: never its secret, of which only a hash is stored."""

    prefix: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
