"""Workers are killed at the points where most can go wrong; locks in PostgreSQL hold them there."""

import time
from collections.abc import Callable

from psycopg.sql import SQL, Identifier

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike

# From the provider's answer to the cache, when nothing else happens to be in the way.
CACHED_S = 0.1


@strike("all workers, after one has claimed a job and before it has written anything")
def killed_after_claim(fleet: Fleet) -> None:
    """The claim has a lease: the job is tried again when it is over."""
    with fleet.locked("LOCK TABLE chunks IN SHARE MODE"):
        fleet.until(lambda: fleet.waiting("%COPY chunks %"), "no worker came to write chunks")
        fleet.kill(*fleet.workers, margin_s=CACHED_S)
    fleet.revive(*fleet.workers)


@strike("all workers, between the provider's answer and the transaction that writes it")
def killed_before_the_write(fleet: Fleet) -> None:
    """The answer is in the cache: whoever takes the texts over when the lease is over does not pay for them again."""
    fleet.until(lambda: caught_before_the_write(fleet), "no worker came to write vectors")
    fleet.revive(*fleet.workers)


def caught_before_the_write(fleet: Fleet) -> bool:
    """Kills the workers if one is there, once no request is in flight and all answers are cached.

    So nothing excuses that a text is sent again. The lock keeps others from claiming, so a request must be under way.
    """
    fleet.until(fleet.under_way, "nothing is under way")
    with fleet.locked("LOCK TABLE pending IN SHARE MODE"):
        deadline = time.monotonic() + 2
        while not fleet.waiting("%DELETE FROM pending p USING%"):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        fleet.until(lambda: not fleet.under_way(), "requests do not end")
        time.sleep(3 * CACHED_S)  # who has claimed may still begin one; who has an answer caches it
        if fleet.under_way():
            return False
        assert claimed(fleet) & {text for flight in fleet.provider.flights() for text in flight.texts}
        fleet.kill(*fleet.workers, margin_s=CACHED_S)
    return True


def claimed(fleet: Fleet) -> set[str]:
    """Hashes of the texts that workers have at this moment."""
    with fleet.database() as conn:
        rows = conn.execute("SELECT encode(hash, 'hex') FROM pending WHERE claim_id IS NOT NULL").fetchall()
    return {text for (text,) in rows}


@strike("all workers, in the COPY of vectors")
def killed_in_copy(fleet: Fleet) -> None:
    """The transaction is undone as a whole: no vector without its document, no document without its vectors."""
    fleet.until(fleet.fresh_segment, "nobody wrote a vector")
    table = Identifier(fleet.fresh_segment())
    with fleet.locked(SQL("LOCK TABLE {} IN SHARE MODE").format(table)):
        fleet.until(lambda: fleet.waiting("%COPY %generation_%"), "no worker came to copy vectors")
        fleet.kill(*fleet.workers, margin_s=CACHED_S)
    fleet.revive(*fleet.workers)


@strike("all workers, between the last write of a job and the acknowledgement of its message")
def killed_before_the_ack(fleet: Fleet) -> None:
    """The message comes again after the visibility timeout, and its job is over: nothing is done twice."""
    fleet.until(fleet.under_way, "nothing is under way")
    finished = jobs_over(fleet)
    with fleet.paused(fleet.servers["redis-broker"]):
        fleet.until(lambda: jobs_over(fleet) > finished, "no job ended without the broker")
        fleet.kill(*fleet.workers, margin_s=CACHED_S)
    fleet.revive(*fleet.workers)


def jobs_over(fleet: Fleet) -> int:
    with fleet.database() as conn:
        row = conn.execute("SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL").fetchone()
    return row[0] if row else 0


def test_workers_that_are_killed_at_the_worst_moments_leave_nothing_undone(survives: Callable[..., object]) -> None:
    survives(killed_after_claim, killed_before_the_write, killed_in_copy, killed_before_the_ack)
