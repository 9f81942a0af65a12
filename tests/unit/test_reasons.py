"""Whoever waits knows why: a reason for every job that is neither at work nor over."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from test_progress import JOB, NOW

from dbrag.jobs.model import Status
from dbrag.jobs.reasons import Reason, reason

LATER = datetime(2026, 11, 22, tzinfo=UTC)
STORED = {"reason_code": "x", "reason_detail": "because", "reason_until": LATER}


@pytest.mark.parametrize(
    ("row", "code", "detail"),
    [
        ({"queue_position": 3}, "waiting_for_worker", "number 3 in line"),
        ({"queue_position": None}, "waiting_for_worker", "the queue default"),
        ({"publish_again_at": LATER}, "broker_unavailable", "sent again"),
        ({"publish_again_at": LATER, **STORED}, "x", "because"),
        ({"status": Status.HELD, **STORED}, "x", "because"),
        ({"status": Status.RETRYING, **STORED}, "x", "because"),
        ({"status": Status.CANCELLING}, "cancelling", "the relay ends it"),
    ],
)
def test_what_a_job_waits_for(row: dict[str, Any], code: str, detail: str) -> None:
    found = reason(replace(JOB, **({"queue_position": None} | row)))
    assert found is not None
    assert found.code == code
    assert detail in str(found.detail)


def test_until_when_is_told_where_it_is_known() -> None:
    assert reason(replace(JOB, publish_again_at=LATER)) == Reason(
        "broker_unavailable", "the broker did not take it; it is sent again", LATER
    )
    assert reason(replace(JOB, **STORED)) == Reason("x", "because", LATER)


@pytest.mark.parametrize("status", Status)
def test_a_job_has_no_reason_only_while_it_is_at_work_and_when_it_is_over(status: Status) -> None:
    """A job that is held or retrying has one in its row; a CHECK sees to it."""
    stored = STORED if status in (Status.HELD, Status.RETRYING) else {}
    ended = {"finished_at": NOW} if status.is_final else {}
    found = reason(replace(JOB, status=status, **stored, **ended))
    assert (found is None) == (status is Status.RUNNING or status.is_final)
