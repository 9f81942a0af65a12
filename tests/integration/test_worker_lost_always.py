"""A worker that dies in every attempt at a job."""

from tests.running import Platform


def test_a_worker_that_dies_in_every_attempt_fails_the_job_with_that_reason(platform: Platform) -> None:
    path = platform.collection("killed-always")
    with platform.down(platform.worker):
        job_id = platform.ingest(path, [{"external_id": "unlucky", "text": "Whoever reads this has a bad day."}])
        with platform.database() as conn:  # as if it had died in its last attempt
            conn.execute(
                "UPDATE jobs SET status = 'running', attempt = 20, started_at = now(), claim_id = gen_random_uuid(), "
                "lease_until = now(), publish_at = NULL WHERE id = %s",
                [job_id],
            )
        [job] = platform.wait(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "worker_lost")
    assert platform.client.post(f"/jobs/{job_id}:retry").status_code == 202
    assert platform.wait(job_id)[0]["status"] == "succeeded"
