"""Whatever the provider does: jobs end well in their first attempt, with the right vectors, and nothing is paid twice.

The platform's lease is 6 s, so a request may take 3.
"""

import time
from hashlib import sha256
from typing import Any

import pytest

from dbrag.embedding.provider import HARMLESS
from tests.running import PATIENCE_S, Platform

OUTAGE_S = 4.0


def documents(name: str, count: int = 6) -> list[dict[str, str]]:
    return [
        {"external_id": f"{name}-{i}", "text": "\n\n".join(f"{name} {i} has paragraph {j}." for j in range(6))}
        for i in range(count)
    ]


def payments(platform: Platform) -> dict[str, int]:
    """How often each text was answered; the harmless one of the probes left out."""
    answered: dict[str, int] = platform.provider.stats()["answered"]
    return {text: count for text, count in answered.items() if text != sha256(HARMLESS.encode()).hexdigest()}


def wait_well(platform: Platform, *job_ids: str) -> list[dict[str, Any]]:
    jobs = platform.wait(*job_ids)
    assert [(job["status"], job["attempt"]) for job in jobs] == [("succeeded", 1)] * len(jobs)
    assert max(payments(platform).values()) == 1
    return jobs


PASSING: dict[str, list[dict[str, Any]]] = {
    "answers that are errors": [
        {"status": 500},
        {"status": 503},
        {"status": 503, "retry_after": 0.2},
        {"status": 502, "message": "<html>Bad gateway</html>"},
        {"status": 404, "message": "<html>no backend</html>"},
    ],
    "answers that cannot be read": [
        {"broken": "reset"},
        {"broken": "half_body"},
        {"broken": "not_json"},
    ],
    "answers that are not those of the texts": [
        {"broken": "fewer"},
        {"broken": "repeated"},
        {"broken": "wrong_dimensions"},  # third: what three tries end with is not taken for a wrong collection
        {"broken": "repeated"},
        {"broken": "shuffled"},
        {"broken": "fewer"},
    ],
    "rate limits": [
        {"status": 429, "retry_after": 0.3},
        {"status": 429, "headers": {"x-ratelimit-reset-requests": "300ms"}},
        {"status": 429, "retry_after": 1},
    ],
    "no answer in time": [{"delay_s": 4}],
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_waited_out(platform: Platform, name: str) -> None:
    path = platform.collection(f"passing {name}".replace(" ", "-"))
    platform.provider.script(next=PASSING[name])
    wait_well(platform, *(platform.ingest(path, documents(f"{name} {n}")) for n in range(3)))


def test_one_bad_text_fails_alone_however_it_is_bad(platform: Platform) -> None:
    path = platform.collection("bad-text")
    platform.provider.script(refuse_containing="POISON", next=[{"broken": "nan"}, {}, {"broken": "zero"}])
    batch = [*documents("good", 20), {"external_id": "poison", "text": "This is POISON."}]
    [job] = platform.wait(platform.ingest(path, batch))
    failed = platform.client.get(f"/jobs/{job['id']}/items", params={"status": "failed"}).json()["data"]
    codes = {item["external_id"]: item["error"]["code"] for item in failed}
    assert codes.pop("poison") == "request_refused"
    assert set(codes.values()) <= {"bad_vector"}
    assert len(codes) <= 2  # one for each of the broken vectors
    assert (job["status"], job["attempt"]) == ("completed_with_errors", 1)
    assert job["counts"]["completed"] == 20 - len(codes)
    assert max(payments(platform).values()) == 1


def test_a_revoked_key_holds_the_jobs_until_it_works_again(platform: Platform) -> None:
    path = platform.collection("revoked")
    platform.provider.script(revoked=True)
    jobs = [platform.ingest(path, documents(f"revoked {n}")) for n in range(4)]
    [held, *_] = platform.wait(jobs[0], until=lambda job: job["status"] == "held")
    assert held["status_reason"]["code"] == "key_refused"
    assert held["status_reason"]["until"]
    assert platform.provider.stats()["requests"] <= 8  # of the lanes that were under way
    platform.provider.script()
    with platform.database() as conn:  # 10 s are over
        conn.execute("UPDATE pauses SET paused_until = now()")
    wait_well(platform, *jobs)


def test_an_outage_fails_nothing_and_is_hammered_by_nobody(platform: Platform) -> None:
    path = platform.collection("outage")
    platform.provider.script(always={"status": 503})
    jobs = [platform.ingest(path, documents(f"outage {n}")) for n in range(4)]
    wait_for_failures(platform, 4)
    platform.provider.forget()
    time.sleep(OUTAGE_S)  # the outage itself
    assert platform.provider.stats()["requests"] <= 2  # after 2 and 4 s, ± 25 %
    held = [platform.client.get(f"/jobs/{job_id}").json() for job_id in jobs]
    assert {job["status"] for job in held} <= {"held", "running"}
    assert "provider_failed" in {(job["status_reason"] or {}).get("code") for job in held}
    platform.provider.script()
    wait_well(platform, *jobs)
    with platform.database() as conn:
        assert conn.execute("SELECT model FROM pauses").fetchall() == []


def wait_for_failures(platform: Platform, count: int) -> None:
    """So many in a row: the model is left alone."""
    deadline = time.monotonic() + PATIENCE_S
    with platform.database() as conn:
        conn.autocommit = True
        while not conn.execute("SELECT 1 FROM pauses WHERE failures >= %s", [count]).fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.05)
