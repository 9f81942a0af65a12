"""A queue that no worker serves: its jobs say so, and go on when one comes."""

from typing import Any

from tests.running import Platform


def held(job: dict[str, Any]) -> bool:
    return job["status"] == "held"


def queue(platform: Platform, name: str) -> dict[str, Any]:
    return next(queue for queue in platform.client.get("/queues").json()["data"] if queue["name"] == name)


def test_jobs_say_that_their_queue_has_no_consumer_and_go_on_when_it_has_one(platform: Platform) -> None:
    path = platform.collection("unserved")
    with platform.down(platform.worker):
        jobs = [platform.ingest(path, [{"external_id": str(n), "text": f"Text {n} waits."}]) for n in range(3)]
        with platform.database() as conn:  # as if all that had been a minute ago
            conn.execute("UPDATE canaries SET sent_at = sent_at - interval '1 minute', seen_at = NULL")
            conn.execute("UPDATE jobs SET started_at = started_at - interval '1 minute'")
        served_at = queue(platform, "default")["consumed_at"]
        for job in platform.wait(*jobs, until=held):
            assert job["status_reason"]["code"] == "no_consumer"
            assert "celery -A tasks worker -n default@%h -Q default" in job["status_reason"]["detail"]
        assert queue(platform, "default")["consumed_at"] == served_at
    assert {job["status"] for job in platform.wait(*jobs)} == {"succeeded"}
    assert queue(platform, "default")["consumed_at"] > (served_at or "")
