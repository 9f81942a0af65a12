"""The time to go of a job at work: unknown, then less and less, then nothing."""

import time
from typing import Any

from tests.running import FINAL, Platform


def test_the_time_to_go_falls_while_a_job_runs(platform: Platform) -> None:
    """Some 2,000 chunks of 400 tokens, which are three requests, to a provider that takes its time."""
    platform.provider.script(always={"delay_s": 0.5})
    path = platform.collection("falling", chunking={"max_tokens": 400, "overlap_tokens": 0})
    text = "\n\n".join(" ".join(str(word * 7919) for word in range(line, line + 50)) for line in range(6000))
    job_id = platform.ingest(path, [{"external_id": "book", "text": text}])
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["status"] not in FINAL:
        seen.append(platform.client.get(f"/jobs/{job_id}").raise_for_status().json())
        time.sleep(0.05)
    assert seen[-1]["status"] == "succeeded"
    etas = [job["progress"]["eta_seconds"] for job in seen]
    assert etas[0] is None
    assert etas[-1] == 0
    known = [job["progress"] for job in seen[:-1] if job["progress"]["eta_seconds"] is not None]
    assert len({progress["percent"] for progress in known}) > 2
    assert [progress["percent"] for progress in known] == sorted(progress["percent"] for progress in known)
    by_percent = {progress["percent"]: progress["eta_seconds"] for progress in reversed(known)}
    first, *_, last = (by_percent[percent] for percent in sorted(by_percent))
    assert last < first
