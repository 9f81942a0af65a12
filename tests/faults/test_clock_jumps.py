"""The clock of the database jumps, past every lease."""

from collections.abc import Callable

from tests.faults.harness.fleet import ON_ITS_WAY_S, Fleet
from tests.faults.harness.strike import strike


@strike("the database's clock, which jumps past all leases while their workers work on")
def leases_run_out(fleet: Fleet) -> None:
    """Another worker takes over; what the first one writes afterwards is refused, since its claim is not the job's."""
    fleet.until(fleet.under_way, "nothing is under way")
    # Who had claimed and not yet sent sends in a moment: after that, it looks whose the texts are.
    with fleet.blow(ON_ITS_WAY_S, late_s=0.5), fleet.database() as conn:
        # In the order in which everybody locks them; clocks of workers are asked for nothing.
        conn.execute("UPDATE pending SET lease_until = now() - interval '1 hour' WHERE lease_until IS NOT NULL")
        conn.execute("UPDATE jobs SET lease_until = now() - interval '1 hour' WHERE lease_until IS NOT NULL")


def test_a_worker_whose_lease_ran_out_writes_nothing_more(survives: Callable[..., object]) -> None:
    survives(leases_run_out)
