"""The broker or the cache, away while jobs are accepted."""

from tests.running import Platform


def document(i: int) -> dict[str, str]:
    return {"external_id": str(i), "text": f"Document {i} of a platform whose broker is away."}


def test_jobs_are_accepted_while_redis_is_away_and_run_when_it_is_back(platform: Platform) -> None:
    path = platform.collection("away")
    broker = platform.servers["redis-broker"]
    with platform.down(broker):
        jobs = [platform.ingest(path, [document(i)]) for i in range(10)]
        assert {platform.client.get(f"/jobs/{job_id}").json()["status"] for job_id in jobs} == {"queued"}
    assert {job["status"] for job in platform.wait(*jobs)} == {"succeeded"}


def test_a_cache_that_is_away_is_missed_by_nobody(platform: Platform) -> None:
    path = platform.collection("no-cache")
    with platform.down(platform.servers["redis-cache"]):
        jobs = platform.wait(*(platform.ingest(path, [document(100 + i)]) for i in range(3)))
    assert {job["status"] for job in jobs} == {"succeeded"}
