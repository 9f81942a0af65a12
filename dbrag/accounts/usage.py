"""What a tenant spent: by day, model, collection, job or kind of job, and in all."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias
from uuid import UUID

from psycopg.rows import class_row
from pydantic.dataclasses import dataclass

from dbrag.database.pool import Connection
from dbrag.database.queries import beside

SQL = beside(__file__, "usage.sql")
About: TypeAlias = Literal["collection", "catalog", "searches", "deleted"]


class By(StrEnum):
    """What usage is summed up by."""

    DAY = "day"
    MODEL = "model"
    COLLECTION = "collection"
    JOB = "job"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class Spent:
    """`name` is a day (UTC), a model, a collection, a job's id or a kind; `about` tells what has no name by which a
    user knows it: the catalog, searches (which no job pays for) and collections that were deleted."""

    name: str | None
    about: About | None
    is_total: bool
    texts: int
    prompt_tokens: int
    completion_tokens: int
    texts_from_cache: int
    cost_usd: float


def total(conn: Connection, tenant_id: UUID, by: By, since: datetime, until: datetime) -> tuple[list[Spent], Spent]:
    """The sums from `since` on and before `until`, and the sum of all; none by job, see `of_jobs`.

    Days in their order, everything else by cost. A million rows take some 0.5 s.
    """
    asked = {"tenant_id": tenant_id, "by": by, "since": since, "until": until}
    found = _fetch(conn, SQL.usage_by, asked)
    [whole] = [row for row in found if row.is_total]
    return [] if by is By.JOB else [row for row in found if not row.is_total], whole


def of_jobs(
    conn: Connection, tenant_id: UUID, since: datetime, until: datetime, *, before: UUID | None, limit: int
) -> list[Spent]:
    """The sums of so many jobs at most, newest first, those behind the job `before`."""
    asked = {"tenant_id": tenant_id, "since": since, "until": until, "before": before, "limit": limit}
    return _fetch(conn, SQL.usage_of_jobs, asked)


def _fetch(conn: Connection, query: Any, asked: dict[str, Any]) -> list[Spent]:
    with conn.cursor(row_factory=class_row(Spent)) as cursor:
        return cursor.execute(query, asked).fetchall()
