"""How far a job is, from its counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.jobs.model import Kind, Status
from dbrag.jobs.progress import progress
from tests.a_job import a_job

NOW = datetime(2026, 11, 21, tzinfo=UTC)
JOB = a_job(NOW, total=10, queue_position=3)
STARTED = replace(JOB, status=Status.RUNNING, started_at=NOW - timedelta(minutes=5), worked_s=30, queue_position=None)


def test_a_job_that_waits_tells_its_place() -> None:
    seen = progress(JOB)
    assert (seen.stage, seen.percent, seen.eta_seconds, seen.queue_position) == ("waiting", 0, None, 3)


@pytest.mark.parametrize(
    ("counts", "stage", "percent"),
    [
        ({"prepared": 0}, "extracting", 0),
        ({"prepared": 5, "chunks_total": 20}, "extracting", 5),
        ({"prepared": 5, "chunks_total": 20, "chunks_done": 20}, "extracting", 50),
        ({"prepared": 10, "chunks_total": 40, "chunks_done": 20}, "embedding", 55),
        ({"prepared": 10}, "embedding", 100),
    ],
)
def test_splitting_counts_a_tenth_and_embedding_the_rest(counts: dict[str, int], stage: str, percent: float) -> None:
    seen = progress(replace(STARTED, **counts))
    assert (seen.stage, seen.percent) == (stage, percent)


def test_the_time_to_go_follows_from_the_share_that_is_done_and_the_time_at_work() -> None:
    half = replace(STARTED, prepared=10, chunks_total=18, chunks_done=8)
    assert progress(half).eta_seconds == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize(
    "changes",
    [
        {"prepared": 0},
        {"status": Status.HELD, "reason_code": "rate_limited"},
        {"status": Status.RETRYING, "reason_code": "worker_lost"},
        {"status": Status.QUEUED},
        {"status": Status.CANCELLING},
        {"worked_s": 0},
    ],
)
def test_the_time_to_go_is_unknown_while_nothing_is_done_and_while_the_job_waits(changes: dict[str, Any]) -> None:
    half = replace(STARTED, prepared=10, chunks_total=18, chunks_done=8)
    assert progress(replace(half, **changes)).eta_seconds is None


def test_a_new_generation_that_others_fill_is_at_work_though_it_is_queued() -> None:
    filling = replace(STARTED, kind=Kind.REBUILD_INDEX, status=Status.QUEUED, reason_code="embedding")
    assert progress(replace(filling, total=4, completed=1)).eta_seconds == pytest.approx(90)


@pytest.mark.parametrize(
    ("counts", "percent"),
    [
        ({"total": 0}, 0),
        ({"total": 4, "completed": 1}, 25),
        ({"total": 4, "completed": 1, "chunks_total": 2500, "chunks_done": 1250}, 37.5),
        ({"total": 4, "completed": 4, "chunks_total": 2500, "chunks_done": 2500}, 100),
    ],
)
def test_of_an_index_steps_count_and_the_rows_of_the_one_at_hand(counts: dict[str, int], percent: float) -> None:
    seen = progress(replace(STARTED, kind=Kind.REBUILD_INDEX, **counts))
    assert (seen.stage, seen.percent) == ("indexing", percent)


def test_a_job_that_is_over_is_done() -> None:
    over = replace(STARTED, status=Status.FAILED, finished_at=NOW)
    assert (progress(over).stage, progress(over).percent, progress(over).eta_seconds) == ("done", 100, 0)


@given(st.integers(0, 10), st.integers(0, 100), st.integers(0, 100))
def test_a_percentage_stays_one(prepared: int, chunks: int, done: int) -> None:
    counts = {"prepared": prepared, "chunks_total": chunks, "chunks_done": min(done, chunks)}
    assert 0 <= progress(replace(STARTED, **counts)).percent <= 100
