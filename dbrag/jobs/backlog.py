"""How much waits, and whether more may be accepted: known to about a second, at no cost to a request."""

import time
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from dbrag.database.pool import Pool
from dbrag.database.queries import beside
from dbrag.errors import TooMuchWaiting, Transient
from dbrag.settings import Settings

SQL = beside(__file__)
# A count is believed for a second, or for twenty times as long as it took: counting costs a process 5 % at most.
COUNT_EVERY_S = 1.0
COUNTING_SHARE = 0.05
# Work that fills a bound takes minutes or hours; whoever waits looks again soon enough to keep the workers busy.
RETRY_AFTER_S = 10.0
CODE = "too_much_waiting"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that are not over, and the bytes that were submitted with them."""

    jobs: int = 0
    bytes: int = 0

    def __add__(self, other: "Waiting") -> "Waiting":
        return Waiting(self.jobs + other.jobs, self.bytes + other.bytes)

    def beyond(self, bound: "Waiting", coming: int) -> str | None:
        """What is too much of, if one more job of `coming` bytes came; where nothing waits, anything may come."""
        if self.jobs >= bound.jobs:
            return f"{self.jobs:,} jobs wait, and {bound.jobs:,} may"
        if self.jobs and self.bytes + coming > bound.bytes:
            return f"{_mib(self.bytes)} MiB wait, {_mib(coming)} MiB would come, and {_mib(bound.bytes)} MiB may wait"
        return None


class Backlog:
    """What one process knows of what waits: the last count, and what it has accepted itself since.

    Safe to share between threads. Others' acceptances are seen with the next count: with N processes, what waits may go
    over a bound by what N - 1 of them accept in that time.
    """

    def __init__(self, settings: Settings) -> None:
        self._of_a_tenant = Waiting(settings.waiting_jobs_of_a_tenant, settings.waiting_mb_of_a_tenant << 20)
        self._of_all = Waiting(settings.waiting_jobs, settings.waiting_mb << 20)
        self._counts: dict[UUID, Waiting] = {}
        self._all = Waiting()
        self._good_until = 0.0
        self._counting, self._changing = Lock(), Lock()

    def check(self, pool: Pool, tenant_id: UUID, coming: int) -> None:
        """Whether a job of `coming` bytes may be accepted now.

        Raises: TooMuchWaiting (of this tenant), Transient (of all together); OperationalError.
        """
        self._refresh(pool)
        with self._changing:
            own, all_ = self._counts.get(tenant_id, Waiting()), self._all
        if excess := own.beyond(self._of_a_tenant, coming):
            raise TooMuchWaiting(
                f"too much of yours waits: {excess}. Send it again later, or cancel what is not needed.",
                retry_after_s=RETRY_AFTER_S,
            )
        if excess := all_.beyond(self._of_all, coming):
            raise Transient(
                f"too much waits in all: {excess}. Send it again later; the operator can add workers.",
                code=CODE,
                retry_after_s=RETRY_AFTER_S,
            )

    def add(self, tenant_id: UUID, size: int) -> None:
        """Counts a job of `size` bytes that this process has accepted."""
        with self._changing:
            self._counts[tenant_id] = self._counts.get(tenant_id, Waiting()) + Waiting(1, size)
            self._all += Waiting(1, size)

    def _refresh(self, pool: Pool) -> None:
        """Counts where the last count is too old; meanwhile others go by the old one, and wait only for the first."""
        if time.monotonic() < self._good_until or not self._counting.acquire(blocking=self._good_until == 0):
            return
        try:
            if time.monotonic() >= self._good_until:
                self._count(pool)
        finally:
            self._counting.release()

    def _count(self, pool: Pool) -> None:
        began = time.monotonic()
        with pool.connection() as conn:
            counts = {tenant_id: Waiting(jobs, size) for tenant_id, jobs, size in conn.execute(SQL.backlog)}
        with self._changing:
            self._counts, self._all = counts, sum(counts.values(), Waiting())
        took_s = time.monotonic() - began
        self._good_until = time.monotonic() + max(COUNT_EVERY_S, took_s / COUNTING_SHARE)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.1f}"
