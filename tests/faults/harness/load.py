"""A steady load over HTTP: documents of all sizes, many replaced, some deleted, jobs cancelled and retried."""

import random
import time
from collections import Counter
from collections.abc import Callable
from threading import Event, Thread
from typing import Any, Self

import httpx

from tests.faults.harness.author import Author
from tests.faults.harness.shelf import Shelf

NAMES = 80
PAUSE_S = 0.04


class Load:
    """Runs in a thread until it is told to stop; each step goes to one tenant's shelf.

    `statuses` counts the API's answers, `unanswered` the requests that broke off. With `shares`, a document that is
    replaced keeps half of its text, and some are sent again as they are.
    """

    def __init__(self, shelves: list[Shelf], seed: int, *, shares: bool = True) -> None:
        self._shelves, self._random, self._shares = shelves, random.Random(seed), shares
        self._author = Author(shelves[0].collection, self._random)
        self.statuses, self.unanswered = Counter[int](), 0
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="load")
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        if self._error:
            raise self._error

    @property
    def jobs(self) -> list[str]:
        """All that were accepted."""
        return [job_id for shelf in self._shelves for job_id in shelf.jobs]

    def _run(self) -> None:
        steps = [self._batch, self._batch, self._batch, self._large, self._ready_made, self._file]
        steps += [self._cancel, self._retry, self._delete]
        try:
            while not self._stopping.wait(PAUSE_S):
                self._random.choice(steps)(self._random.choice(self._shelves))
        except BaseException as exc:  # a test's thread has nobody else to tell
            self._error = exc

    def _batch(self, shelf: Shelf) -> None:
        names = [str(name) for name in self._random.sample(range(NAMES), self._random.randint(1, 12))]
        self._send(shelf, {name: self._text(shelf, name) for name in names})

    def _large(self, shelf: Shelf) -> None:
        self._send(shelf, {"large": self._author.text(self._random.randint(20, 60), self._old(shelf, "large"))})

    def _send(self, shelf: Shelf, texts: dict[str, str]) -> None:
        body = [{"external_id": name, "text": text} for name, text in texts.items()]
        queue = self._random.choice(["critical", "default", "default", "low"])
        url = f"{shelf.path}/documents:batch?queue={queue}"
        self._submit(shelf, texts, lambda: shelf.client.post(url, json=body))

    def _ready_made(self, shelf: Shelf) -> None:
        texts = {f"ready-{self._random.randrange(NAMES)}": self._author.text(1)}
        body = [{"external_id": name, "text": text} for name, text in texts.items()]
        self._submit(shelf, texts, lambda: shelf.client.post(f"{shelf.path}/embeddings", json=body))

    def _file(self, shelf: Shelf) -> None:
        name = f"file-{self._random.randrange(5)}"
        text, form = self._author.text(3), {"external_id": name}
        files = {"file": ("notes.txt", text.encode(), "text/plain")}
        answer = self._ask(lambda: shelf.client.post(f"{shelf.path}/documents", data=form, files=files))
        self._note(shelf, answer, {name: None}, [text])

    def _submit(self, shelf: Shelf, texts: dict[str, str], send: Callable[[], httpx.Response]) -> None:
        self._note(shelf, self._ask(send), dict(texts), list(texts.values()))

    def _note(self, shelf: Shelf, answer: httpx.Response | None, texts: dict[str, str | None], sent: list[str]) -> None:
        if answer is None or answer.status_code >= 500:
            shelf.unknown(list(texts), sent)
        elif answer.status_code == 202:
            shelf.accepted(answer.json()["id"], texts, sent)

    def _cancel(self, shelf: Shelf) -> None:
        if shelf.jobs:
            job_id = self._random.choice(shelf.jobs[-6:])
            began_at = time.time()
            answer = self._ask(lambda: shelf.client.post(f"/jobs/{job_id}:cancel"))
            if answer is None or answer.status_code >= 500:
                shelf.let_go_of(job_id, began_at)
            elif answer.status_code == 202:
                shelf.stopped(job_id, began_at)

    def _retry(self, shelf: Shelf) -> None:
        if shelf.jobs:
            job_id = self._random.choice(shelf.jobs)
            self._ask(lambda: shelf.client.post(f"/jobs/{job_id}:retry"))

    def _delete(self, shelf: Shelf) -> None:
        name = str(self._random.randrange(NAMES))
        began_at = time.time()
        answer = self._ask(lambda: shelf.client.delete(f"{shelf.path}/documents/{name}"))
        if answer is None or answer.status_code >= 500:
            shelf.perhaps_deleted(name, began_at)
        elif answer.status_code in (204, 404):
            shelf.deleted(name, began_at)

    def _ask(self, send: Callable[[], httpx.Response]) -> httpx.Response | None:
        try:
            answer = send()
        except httpx.TransportError:
            self.unanswered += 1
            return None
        self.statuses[answer.status_code] += 1
        return answer

    def _text(self, shelf: Shelf, name: str) -> str:
        chance, old = self._random.random(), self._old(shelf, name)
        if chance < 0.01:
            return self._author.refused_text()
        if chance < 0.15 and old:
            return old
        return self._author.text(self._random.randint(1, 6), old)

    def _old(self, shelf: Shelf, name: str) -> str:
        sent: Any = shelf.last.get(name)
        return sent.text if self._shares and sent and sent.text else ""
