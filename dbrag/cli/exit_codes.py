"""The codes that commands end with, for scripts; docs/client.md has the table."""

from collections.abc import Iterable
from enum import IntEnum

from dbrag.client.model import Job
from dbrag.errors import DbragError, Transient
from dbrag.jobs.model import Status


class ExitCode(IntEnum):
    """What a command has come to."""

    OK = 0
    """All that was asked for is done."""
    FAILED = 1
    """It is not, and would not be if it were tried again as it is."""
    USAGE = 2
    """The command line is wrong; nothing was done."""
    SOME_FAILED = 3
    """Some documents or tables failed; the others are done."""
    TRY_LATER = 4
    """The API cannot be reached, or has asked to come back; the same command may succeed later."""
    INTERRUPTED = 130
    """Ctrl-C; what was accepted goes on."""


def of_error(error: DbragError) -> ExitCode:
    return ExitCode.TRY_LATER if isinstance(error, Transient) else ExitCode.FAILED


def of_jobs(jobs: Iterable[Job]) -> ExitCode:
    """Of jobs that have ended: FAILED where one failed or was cancelled without a failed item."""
    jobs = list(jobs)
    if any(job.counts.failed for job in jobs):
        return ExitCode.SOME_FAILED
    return ExitCode.OK if all(job.status is Status.SUCCEEDED for job in jobs) else ExitCode.FAILED
