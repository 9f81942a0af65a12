"""Time limits as a worker really has them: options of `celery worker` and of the broker override the settings."""

from dataclasses import dataclass

# What a worker has whose broker options name no visibility timeout (kombu's default).
KOMBU_VISIBILITY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """All in seconds; None: no limit. `slice_s`: after it a task begins no further step."""

    soft_s: float | None
    hard_s: float | None
    lease_s: float
    visibility_s: float
    slice_s: float
    extraction_s: float
    provider_s: float


def contradiction(limits: Limits) -> str | None:
    """What is wrong with the limits, and what to change, in a sentence; None where they fit together.

    Each must end inside the next: the last step of a task inside its soft limit, then the hard limit, the lease, the
    visibility timeout. Else work is broken off that was well, or done by two workers at once.
    """
    if not limits.soft_s or not limits.hard_s:
        return "tasks have no time limit: leave --time-limit and --soft-time-limit out, they follow from DBRAG_LEASE_S"
    last_step_s = limits.slice_s + max(limits.extraction_s, limits.provider_s)
    order = (
        (last_step_s, "a slice and the longest step of a task", limits.soft_s, "the soft time limit"),
        (limits.soft_s, "the soft time limit", limits.hard_s, "the time limit"),
        (limits.hard_s, "the time limit", limits.lease_s, "the lease"),
        (limits.lease_s, "the lease", limits.visibility_s, "the broker's visibility timeout"),
    )
    for shorter_s, shorter, longer_s, longer in order:
        if shorter_s >= longer_s:
            return (
                f"{shorter} ({shorter_s:g} s) must be shorter than {longer} ({longer_s:g} s): leave --time-limit, "
                "--soft-time-limit and visibility_timeout out, they follow from DBRAG_LEASE_S"
            )
    return None
