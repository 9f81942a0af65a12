"""A rate limit of the provider that does not say how long it lasts; the others are in tests/faults/."""

from tests.running import Platform


def test_a_rate_limit_without_a_time_holds_the_jobs_for_a_while(platform: Platform) -> None:
    path = platform.collection("no-time")
    platform.provider.script(next=[{"status": 429}])
    job_id = platform.ingest(path, [{"external_id": str(n), "text": f"No time was said to {n}."} for n in range(10)])
    [held] = platform.wait(job_id, until=lambda job: job["status"] == "held")
    assert held["status_reason"]["code"] == "rate_limited"
    assert held["status_reason"]["until"]
    [job] = platform.wait(job_id)
    assert (job["status"], job["attempt"]) == ("succeeded", 1)
