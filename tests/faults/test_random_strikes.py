"""Processes killed at random moments under load: every job ends once, and every chunk is there once, paid once."""

import random
import time
from collections import Counter
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tests.running import FINAL, Platform

STRIKES = 8


class Load:
    """Batches of documents of which many are replaced, some deleted, some jobs cancelled; until it is told to stop."""

    def __init__(self, platform: Platform, path: str, seed: int) -> None:
        self._platform, self._path, self._random = platform, path, random.Random(seed)
        self.jobs: list[str] = []
        self.statuses: Counter[int] = Counter()
        self._stopping = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.05):
            try:
                self._step()
            except httpx.TransportError:
                continue  # the API has just been killed

    def _step(self) -> None:
        answer = self._platform.client.post(f"{self._path}/documents:batch", json=self._documents())
        self.statuses[answer.status_code] += 1
        if answer.status_code == 202:
            self.jobs.append(answer.json()["id"])
        chance = self._random.random()
        if chance < 0.1 and self.jobs:
            self._platform.client.post(f"/jobs/{self._random.choice(self.jobs)}:cancel")
        elif chance < 0.2:
            self._platform.client.delete(f"{self._path}/documents/{self._random.randrange(60)}")

    def _documents(self) -> list[dict[str, Any]]:
        names = self._random.sample(range(60), self._random.randint(1, 20))
        return [{"external_id": str(name), "text": self._text()} for name in names]

    def _text(self) -> str:
        count = self._random.randint(1, 12)
        return "\n\n".join(
            f"{self._random.randrange(400)} is said {self._random.randrange(4000)}." for _ in range(count)
        )


@pytest.mark.parametrize("seed", [1])
def test_random_strikes_lose_double_and_overpay_nothing(platform: Platform, seed: int) -> None:
    path = platform.collection(f"strikes-{seed}")
    platform.provider.script(always={"delay_s": 0.2})
    choice = random.Random(seed)
    servers = platform.servers
    targets = [platform.worker, platform.relay, platform.api]
    targets += [servers[name] for name in ("redis-broker", "redis-cache", "postgres")]
    struck = Counter[str]()
    with Load(platform, path, seed) as load:
        for _ in range(STRIKES):
            time.sleep(choice.uniform(0.3, 2))  # the moment of the strike, not a wait for anything
            target = choice.choice(targets)
            struck[target.spec.name] += 1
            with platform.down(target):
                pass
    jobs = platform.wait(*load.jobs)
    assert jobs
    assert {job["status"] for job in jobs} <= set(FINAL)
    assert set(load.statuses) <= {202, 503}
    # Only what was on its way when the worker was killed may be paid again.
    assert max(platform.provider.stats()["answered"].values()) <= 1 + struck["worker"]
