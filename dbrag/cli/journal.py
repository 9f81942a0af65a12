"""What `dbrag ingest` has sent from a folder, written down as it happens, so that nothing is sent twice.

A line a fact, each written before the next step: a run that is killed anywhere leaves at most one batch of which it is
not known whether it was accepted, and that batch's Idempotency-Key.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

from dbrag.errors import Permanent

FOLDER = Path(".dbrag", "ingest")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """By what a file is known to be the same: `size` in bytes, `mtime_ns`, `sha256` of its content."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was sent under an Idempotency-Key: its queue and its files by name."""

    key: str
    queue: str
    files: Mapping[str, Fingerprint]


@dataclass(slots=True)
class Known:
    """What the facts say, taken together.

    `accepted`: files that need not be sent again. `open_jobs`: jobs whose end has not been seen yet. `in_flight`:
    batches of which nobody knows whether they were accepted, by key.
    """

    accepted: dict[str, Fingerprint] = field(default_factory=dict[str, Fingerprint])
    open_jobs: list[str] = field(default_factory=list[str])
    in_flight: dict[str, Batch] = field(default_factory=dict[str, Batch])

    def learn(self, fact: Mapping[str, Any]) -> None:
        """Takes one fact in: a batch was sent, accepted or refused, a job has ended."""
        match fact:
            case {"sent": key, "queue": queue, "files": files}:
                prints = {name: Fingerprint(**one) for name, one in files.items()}
                overtaken = [old.key for old in self.in_flight.values() if old.files.keys() & prints.keys()]
                for old in overtaken:
                    del self.in_flight[old]
                self.in_flight[key] = Batch(key, queue, prints)
            case {"accepted": key, "job": job_id}:
                if batch := self.in_flight.pop(key, None):  # else another run has sent the same files meanwhile
                    self.accepted |= batch.files
                self.open_jobs.append(job_id)
            case {"refused": key}:
                self.in_flight.pop(key, None)
            case {"ended": job_id, "send_again": names}:
                self.open_jobs = [one for one in self.open_jobs if one != job_id]
                for name in names:
                    self.accepted.pop(name, None)
            case _:  # of a later release: better sent twice than not at all
                pass


class Journal:
    """The facts about one collection of one API, in a file of the folder whose files are sent."""

    def __init__(self, known: Known, file: BinaryIO | None = None) -> None:
        self.known = known
        self._file = file

    @classmethod
    def open(cls, path: Path, about: Mapping[str, str], *, again: bool) -> Self:
        """Reads what is known; nothing is with `again`, or where the file is `about` something else.

        Raises: OSError: there can be no such file here.
        """
        known, end = (Known(), 0) if again else _read(path, about)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.joinpath(".gitignore").write_text("*\n")
        file = path.open("ab")
        file.truncate(end)
        journal = cls(known, file)
        if not end:
            journal._write(about)
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def sent(self, batch: Batch) -> None:
        """To be called before the batch is sent."""
        prints = {name: asdict(one) for name, one in batch.files.items()}
        self._add({"sent": batch.key, "queue": batch.queue, "files": prints})

    def accepted(self, key: str, job_id: str) -> None:
        self._add({"accepted": key, "job": job_id})

    def refused(self, key: str) -> None:
        self._add({"refused": key})

    def ended(self, job_id: str, send_again: Iterable[str]) -> None:
        """A job is over; `send_again`: its files that are not in the collection."""
        if job_id in self.known.open_jobs:
            self._add({"ended": job_id, "send_again": list(send_again)})

    def _add(self, fact: Mapping[str, Any]) -> None:
        self._write(fact)
        self.known.learn(fact)

    def _write(self, fact: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(fact).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as exc:
            detail = f"{self._file.name} cannot be written ({exc.strerror}): mend that, and run the same command again."
            raise Permanent(detail) from exc


def path_of(folder: Path, api: str, collection: str) -> Path:
    """Where the journal of a collection is kept: names of documents are relative to the folder, so it is there."""
    name = hashlib.sha256(f"{api}\n{collection}".encode()).hexdigest()[:16]
    return folder / FOLDER / f"{name}.jsonl"


def read(path: Path, about: Mapping[str, str]) -> Known:
    """What is known, without writing anything."""
    return _read(path, about)[0]


def _read(path: Path, about: Mapping[str, str]) -> tuple[Known, int]:
    """What the file says, and where its last whole line ends: a killed run may have left half of one."""
    known, end = Known(), 0
    if not path.exists():
        return known, end
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True)):
        if not line.endswith(b"\n"):
            break
        try:
            fact = json.loads(line)
        except ValueError:  # better sent twice than not at all
            break
        if number == 0 and fact != about:  # another API, or a collection that was made anew since
            return Known(), 0
        if number:
            known.learn(fact)
        end += len(line)
    return known, end
