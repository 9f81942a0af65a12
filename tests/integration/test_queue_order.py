"""What is urgent is served first, and what is not is served too."""

from typing import Any

from tests.running import Platform


def document(name: str) -> list[dict[str, Any]]:
    return [{"external_id": name, "text": f"The document {name}."}]


def test_a_critical_job_is_served_before_those_that_waited_longer(platform: Platform) -> None:
    path = platform.collection("urgent")
    with platform.down(platform.worker):
        others = [platform.ingest(path, document(f"l{n}"), queue="low") for n in range(40)]
        others += [platform.ingest(path, document(f"d{n}"), queue="default") for n in range(20)]
        critical = platform.ingest(path, document("c"), queue="critical")
        waiting = {queue["name"]: queue for queue in platform.client.get("/queues").json()["data"]}
        assert (waiting["low"]["waiting"], waiting["critical"]["waiting"]) == (40, 1)
        assert platform.client.get(f"/jobs/{others[-1]}").json()["progress"]["queue_position"] == 20
    jobs = {job["id"]: job for job in platform.wait(critical, *others)}
    started = sorted(jobs.values(), key=lambda job: job["started_at"])
    # The two children of the worker may each have fetched one message before they looked at all queues.
    assert critical in [job["id"] for job in started[:3]]
    assert [job["queue"] for job in started[3:20]] == ["default"] * 17


def test_a_worker_for_low_serves_it_while_nobody_else_does(platform: Platform) -> None:
    path = platform.collection("patient")
    with platform.down(platform.worker):
        low = platform.servers.launch(platform.apps.worker_low())
        try:
            job_id = platform.ingest(path, document("low"), queue="low")
            assert platform.wait(job_id)[0]["status"] == "succeeded"
        finally:
            low.stop()
