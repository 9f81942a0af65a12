"""The API is killed."""

from collections.abc import Callable

from tests.faults.harness.fleet import Fleet
from tests.faults.harness.strike import strike


@strike("the API, `kill -9`")
def api_killed(fleet: Fleet) -> None:
    """What was answered with 202 is done; what got no answer is there as a whole, or not at all."""
    fleet.kill(fleet.api)
    fleet.revive(fleet.api)
    fleet.api.wait_until_ready()


@strike("the API, between its commit and the message for it")
def api_killed_before_it_publishes(fleet: Fleet) -> None:
    """The outbox mark was committed with the job: the relay publishes it."""
    with fleet.paused(fleet.servers["redis-broker"]):
        fleet.until(lambda: unpublished(fleet), "everything was published to a broker that stands still")
        fleet.kill(fleet.api)
    fleet.revive(fleet.api)
    fleet.api.wait_until_ready()


def unpublished(fleet: Fleet) -> bool:
    with fleet.database() as conn:
        marked = "SELECT FROM jobs WHERE status = 'queued' AND publish_at IS NOT NULL AND published_at IS NULL"
        return conn.execute(marked).fetchone() is not None


def test_what_a_killed_api_had_accepted_is_done(survives: Callable[..., object]) -> None:
    survives(api_killed)


def test_a_job_that_was_committed_and_not_published_is_done(survives: Callable[..., object]) -> None:
    survives(api_killed_before_it_publishes)
