"""The job body, as DESIGN fixes it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from api import render
from dbrag.jobs.model import Queue, Status
from tests.a_job import a_job

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
JOB = a_job(
    NOON,
    id=UUID("019aa000-0000-7000-8000-000000000001"),
    tenant_id=UUID("019aa000-0000-7000-8000-000000000002"),
    queue=Queue.LOW,
    collection_id=7,
    total=4,
    queue_position=3,
)


def test_a_job_that_waits() -> None:
    assert json.loads(render.job(JOB).model_dump_json()) == {
        "id": "019aa000-0000-7000-8000-000000000001",
        "kind": "ingest_document",
        "status": "queued",
        "queue": "low",
        "created_at": "2026-11-21T12:00:00Z",
        "started_at": None,
        "finished_at": None,
        "attempt": 0,
        "status_reason": {
            "code": "waiting_for_worker",
            "detail": "the workers of the queue low are busy with what came before: number 3 in line",
            "until": None,
        },
        "counts": {"total": 4, "completed": 0, "failed": 0, "skipped": 0, "cached": 0},
        "progress": {"stage": "waiting", "percent": 0.0, "eta_seconds": None, "queue_position": 3},
        "usage": {"prompt_tokens": 0, "texts_from_cache": 0, "cost_usd": 0.0},
        "result": None,
        "error": None,
    }


def test_a_job_at_work_says_how_far_it_is_and_why_it_waits() -> None:
    held = replace(
        JOB,
        status=Status.HELD,
        started_at=NOON - timedelta(seconds=30),
        attempt=2,
        reason_code="rate_limit",
        reason_detail="the provider asks to wait",
        reason_until=NOON + timedelta(seconds=5),
        completed=2,
        cached=1,
        prepared=4,
        chunks_total=10,
        chunks_done=5,
        queue_position=None,
        prompt_tokens=1234,
        texts_from_cache=5,
        cost_usd=0.02,
    )
    body = json.loads(render.job(held).model_dump_json())
    assert body["status_reason"] == {
        "code": "rate_limit",
        "detail": "the provider asks to wait",
        "until": "2026-11-21T12:00:05Z",
    }
    assert body["counts"] == {"total": 4, "completed": 2, "failed": 0, "skipped": 0, "cached": 1}
    assert body["progress"] == {"stage": "embedding", "percent": 55.0, "eta_seconds": None, "queue_position": None}
    assert body["usage"] == {"prompt_tokens": 1234, "texts_from_cache": 5, "cost_usd": 0.02}
    assert body["attempt"] == 2


def test_a_version_stays_while_nothing_changes_but_the_time_to_go() -> None:
    running = replace(JOB, status=Status.RUNNING, started_at=NOON, prepared=2, worked_s=10, queue_position=None)
    later, further = replace(running, worked_s=11), replace(running, completed=1)
    bodies = [render.job(found) for found in (running, later, further)]
    assert bodies[0].progress.eta_seconds != bodies[1].progress.eta_seconds
    versions = [render.version(body) for body in bodies]
    assert versions[0] == versions[1] != versions[2]
