"""`kill -9` of a worker in the middle of a batch."""

from tests.running import Platform


def documents(name: str, count: int) -> list[dict[str, str]]:
    return [
        {"external_id": f"{name}-{i}", "text": "\n\n".join(f"{name} {i} says {i * 31 + j}." for j in range(8))}
        for i in range(count)
    ]


def test_a_batch_ends_once_though_its_worker_is_killed(platform: Platform) -> None:
    path = platform.collection("killed")
    platform.provider.script(always={"delay_s": 0.5})
    jobs = [platform.ingest(path, documents(f"killed-{n}", 40)) for n in range(4)]
    platform.wait(jobs[0], until=lambda job: job["status"] != "queued")
    in_flight = platform.provider.stats()["in_flight"]
    with platform.down(platform.worker):
        pass
    finished = platform.wait(*jobs)
    assert [(job["status"], job["counts"]["completed"]) for job in finished] == [("succeeded", 40)] * 4
    answered = platform.provider.stats()["answered"]
    assert sum(count - 1 for count in answered.values()) <= 2048 * max(in_flight, 2)
    assert max(answered.values()) <= 2


def test_a_worker_that_dies_in_every_attempt_fails_the_job_with_that_reason(platform: Platform) -> None:
    path = platform.collection("killed-always")
    with platform.down(platform.worker):
        job_id = platform.ingest(path, documents("unlucky", 1))
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
