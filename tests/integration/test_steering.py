"""Jobs steered while they are worked on: moved to and fro, paused and resumed; nothing is lost or paid twice."""

import random
from itertools import cycle

from tests.running import FINAL, Platform


def documents(prefix: str, count: int) -> list[dict[str, str]]:
    return [{"external_id": f"{prefix}-{i}", "text": f"{prefix} has a document {i}."} for i in range(count)]


def test_jobs_moved_to_and_fro_while_they_are_worked_on_end_as_they_should(platform: Platform) -> None:
    path = platform.collection("moved")
    platform.provider.script(always={"delay_s": 0.05})
    jobs = [platform.ingest(path, documents(f"job {number}", 150), "low") for number in range(6)]
    draw = random.Random(4)  # no secret
    queues = cycle(["critical", "low", "default"])
    unfinished, moved = set(jobs), 0
    while unfinished:
        job_id = draw.choice(sorted(unfinished))
        answer = platform.client.post(f"/jobs/{job_id}:reprioritise", json={"queue": next(queues)})
        assert answer.status_code in (202, 409), answer.text
        moved += answer.status_code == 202
        if answer.status_code == 409 or answer.json()["status"] in FINAL:
            unfinished.discard(job_id)
    assert {(job["status"], job["counts"]["completed"]) for job in platform.wait(*jobs)} == {("succeeded", 150)}
    assert moved >= len(jobs)
    assert set(platform.provider.stats()["answered"].values()) == {1}


def test_what_is_accepted_while_a_collection_is_paused_is_done_when_it_goes_on(platform: Platform) -> None:
    paused, other = platform.collection("paused"), platform.collection("not-paused")
    assert platform.client.post(f"{paused}:pause").status_code == 200
    waits = platform.ingest(paused, documents("paused", 3))
    goes_on = platform.ingest(other, documents("not paused", 3))
    assert platform.wait(goes_on)[0]["status"] == "succeeded"
    assert platform.client.get(f"/jobs/{waits}").json()["status"] in ("queued", "held")
    assert platform.client.post(f"{paused}:resume").json()["paused_at"] is None
    assert platform.wait(waits)[0]["status"] == "succeeded"
