"""Who asks: the tenant behind an API key or a JWT, and what it may do."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
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
    """A tenant, acting through one of its keys, or through a JWT (`key_id` is None) whose `subject` may be anybody."""

    tenant_id: UUID
    key_id: int | None
    scopes: frozenset[Scope]
    subject: str | None = None

    @property
    def name(self) -> str:
        """Tells principals apart, in logs and where requests are counted."""
        return f"jwt:{self.tenant_id}:{self.subject or ''}" if self.key_id is None else f"key:{self.key_id}"


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who owns data and pays; `weight` is its share of the workers beside others that wait in the same queue.

    `day_usd` and `month_usd` are its budget (None: no bound); without one, what it has spent is not summed up.
    """

    name: str
    weight: int
    created_at: datetime
    waiting_jobs: int
    waiting_bytes: int
    day_usd: Decimal | None
    month_usd: Decimal | None
    spent_day_usd: Decimal | None
    spent_month_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed: never its secret, of which only a hash is stored; `replaced_by` is a prefix."""

    prefix: str
    name: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: str | None


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new key, which can be read this once, and when it and the one that it replaces end."""

    key: str
    expires_at: datetime | None
    old_expires_at: datetime
