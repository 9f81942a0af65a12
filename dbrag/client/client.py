"""The client: one method for each thing the API does."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, Unpack

from dbrag.client import events, paths, waiting
from dbrag.client.catalog import Catalog
from dbrag.client.model import (
    PAGE,
    Collection,
    Conflicts,
    Document,
    Estimate,
    Event,
    File,
    Hit,
    Item,
    Job,
    JobFilters,
    Page,
    Retried,
    UsageReport,
)
from dbrag.client.transport import Transport
from dbrag.errors import Invalid, NotAvailable, NotFound, Transient
from dbrag.jobs.model import ItemStatus, Queue
from dbrag.vectors.model import Mode

# Jobs in one call of `/v1/jobs:retry`: some seconds' work (1000 at most).
RETRIES = 500
# How long an API is asked to hold an answer: 30 s at most.
HOLD_S = 20
SHORT_HOLD_S = 1


def _nobody(_: str) -> None:
    pass


class Client:
    """Calls the API at `base_url` (http://host:port, without /v1) with an API key or a JWT.

    An API that says "later" (429, 502, 503, 504) is asked again when its `Retry-After` says, as is one whose connection
    broke, for `patience_s` seconds in all; `notice` is told of waits above a second. `timeout_s` is the longest silence
    in an answer. A call that makes a job has one `Idempotency-Key` in all its tries, a new one unless `idempotency_key`
    is given, so that it makes one job. Several threads may use it at once; a context manager, which closes it.

    All methods raise dbrag.errors: Permanent where the same call would fail again (Unauthorized, NotFound, Invalid, …),
    Transient where patience has run out (Unreachable: no answer at all).
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        patience_s: float = 60.0,
        timeout_s: float = 60.0,
        notice: Callable[[str], None] = _nobody,
    ) -> None:
        self._transport = Transport(base_url, api_key, patience_s=patience_s, timeout_s=timeout_s, notice=notice)
        self.base_url = self._transport.base_url
        self.catalog = Catalog(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    # Collections

    def put_collection(self, name: str, **wish: Any) -> Collection:
        """Create the collection, or have the API confirm that it stands with what `wish` names.

        `wish`: model, dimensions, storage, m, ef_construction, language, chunking {max_tokens, overlap_tokens}.
        """
        return self._transport.parse(Collection, self._transport.send("PUT", paths.collection(name), json=wish))

    def ensure_collection(self, name: str) -> bool:
        """True if it had to be created. Looks first: looking needs the scope `read`, creating needs `manage`."""
        try:
            self.collection(name)
        except NotFound:
            self.put_collection(name)
            return True
        return False

    def collection(self, name: str) -> Collection:
        return self._transport.get(Collection, paths.collection(name))

    def collections(self) -> Iterator[Collection]:
        for page in self._transport.pages(Page[Collection], "/v1/collections", {"limit": str(PAGE)}):
            yield from page.data

    def delete_collection(self, name: str) -> None:
        """Delete a collection with all its documents and vectors."""
        self._transport.send("DELETE", paths.collection(name))

    def pause(self, name: str) -> Collection:
        """Have what is accepted for a collection wait."""
        return self._transport.post(Collection, f"{paths.collection(name)}:pause")

    def resume(self, name: str) -> Collection:
        return self._transport.post(Collection, f"{paths.collection(name)}:resume")

    # Documents

    def submit(
        self,
        collection: str,
        documents: Sequence[Mapping[str, Any]],
        *,
        queue: Queue = Queue.DEFAULT,
        on_conflict: Conflicts | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit up to 2,000 documents as one job: `{external_id?, title?, text, metadata?}`.

        What is wrong with one of them fails that one; `items` tells.
        """
        path, params = f"{paths.collection(collection)}/documents:batch", _query(queue, on_conflict)
        return self._transport.make_job(path, idempotency_key, params=params, json=list(documents))

    def submit_files(
        self,
        collection: str,
        files: Sequence[File],
        *,
        queue: Queue = Queue.DEFAULT,
        on_conflict: Conflicts | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit up to 2,000 files (64 MiB together) as one job; what is wrong with one of them fails that one."""
        path, params = f"{paths.collection(collection)}/documents:batch", _query(queue, on_conflict)
        return self._transport.make_job(path, idempotency_key, params=params, files=_parts(files))

    def submit_document(
        self,
        collection: str,
        document: Mapping[str, Any],
        *,
        on_conflict: Conflicts | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit one document: `{external_id?, title?, text, metadata?, queue?}`. What is wrong with it is raised."""
        path, params = f"{paths.collection(collection)}/documents", _query(None, on_conflict)
        return self._transport.make_job(path, idempotency_key, params=params, json=document)

    def submit_file(
        self,
        collection: str,
        path: Path,
        *,
        external_id: str | None = None,
        queue: Queue = Queue.DEFAULT,
        on_conflict: Conflicts | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit one file; its name is its external_id unless another is given. What is wrong with it is raised."""
        return self._transport.make_job(
            f"{paths.collection(collection)}/documents",
            idempotency_key,
            params=_query(queue, on_conflict),
            files=_parts([File(path.name, path.read_bytes())]),
            data={"external_id": external_id or path.name},
        )

    def submit_texts(
        self,
        collection: str,
        texts: Sequence[Mapping[str, Any]],
        *,
        queue: Queue = Queue.DEFAULT,
        on_conflict: Conflicts | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit ready-made texts, embedded as they are: `{external_id?, text, metadata?}`."""
        path, params = f"{paths.collection(collection)}/embeddings", _query(queue, on_conflict)
        return self._transport.make_job(path, idempotency_key, params=params, json=list(texts))

    def estimate(self, collection: str, sent: Sequence[File] | Sequence[Mapping[str, Any]]) -> Estimate:
        """What submitting these files or documents would cost; nothing is done.

        Raises: NotAvailable: an API of before that cannot tell.
        """
        files = [one for one in sent if isinstance(one, File)]
        body: dict[str, Any] = {"files": _parts(files)} if files else {"json": list(sent)}
        path = f"{paths.collection(collection)}/documents:batch"
        try:
            return self._transport.post(Estimate, path, params={"dry_run": "true"}, **body)
        except Invalid as exc:
            if any("dry_run" in fault.pointer for fault in exc.faults):
                raise NotAvailable("This API cannot tell a price before: it is of a release without dry_run.") from exc
            raise

    def document(self, collection: str, external_id: str) -> Document:
        return self._transport.get(Document, paths.document(collection, external_id))

    def delete_document(self, collection: str, external_id: str) -> None:
        self._transport.send("DELETE", paths.document(collection, external_id))

    def search(
        self,
        collection: str,
        query: str,
        limit: int = 10,
        mode: Mode = Mode.VECTOR,
        metadata_filter: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """The passages that answer best, the best first; only of documents whose metadata contain the filter."""
        body: dict[str, Any] = {"query": query, "limit": limit, "mode": mode.value}
        body |= {"filter": metadata_filter} if metadata_filter else {}
        return self._transport.post(Page[Hit], f"{paths.collection(collection)}/search", json=body).data

    # Jobs

    def job(self, job_id: str) -> Job:
        return self._transport.get(Job, paths.job(job_id))

    def jobs(self, limit: int = 50, **filters: Unpack[JobFilters]) -> list[Job]:
        """The newest `limit` jobs that match all filters."""
        params = _filters(filters) | {"limit": str(min(limit, PAGE))}
        found: list[Job] = []
        for page in self._transport.pages(Page[Job], "/v1/jobs", params):
            found += page.data
            if len(found) >= limit:
                break
        return found[:limit]

    def items(self, job_id: str, status: ItemStatus | None = None) -> Iterator[Item]:
        """The documents or texts of a job, in the order they were sent in."""
        params = {"limit": str(PAGE)} | ({"status": status.value} if status else {})
        for page in self._transport.pages(Page[Item], f"{paths.job(job_id)}/items", params):
            yield from page.data

    def wait(self, job_id: str, *, timeout_s: float | None = None) -> Job:
        """The job once it has ended, however it ended: see its `status`.

        Raises: Transient (code `still_running`): not within `timeout_s` seconds; it goes on.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        if deadline is None:
            looks = waiting.changes(self._transport, job_id, HOLD_S)
        else:  # a stream may be silent for 15 s
            looks = waiting.polled(self._transport, job_id, SHORT_HOLD_S)
        for job in looks:
            if job.status.is_final:
                return job
            if deadline is not None and time.monotonic() >= deadline:
                break
        raise Transient(f"Job {job_id} has not ended within {timeout_s} s; it goes on.", code="still_running")

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job as it is now and whenever it may have changed, the last time as it ended.

        By its events; where the API has none, or none now, by asking again and again.
        """
        return waiting.changes(self._transport, job_id, SHORT_HOLD_S)

    def events(self, job_id: str, *, last_event_id: str | None = None) -> Iterator[Event]:
        """What happens to a job, from its beginning or behind an event, until it ends, even if the stream breaks.

        Raises: NotAvailable, NotFound: an API without events; `watch` does without.
        """
        return events.read(self._transport, job_id, last_event_id, self._transport.patience_s)

    def cancel(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """Cancel a job; what it has finished stays."""
        return self._transport.make_job(f"{paths.job(job_id)}:cancel", idempotency_key)

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """Try the failed items of a job again. Raises: Conflict: there is none that can be."""
        return self._transport.make_job(f"{paths.job(job_id)}:retry", idempotency_key)

    def retry_matching(self, **filters: Unpack[JobFilters]) -> Iterator[Retried]:
        """Try again what matches all filters, of which there must be one; as many jobs at once as the API takes."""
        body: dict[str, Any] = {**_filters(filters), "limit": RETRIES}
        more = True
        while more:
            done = self._transport.post(Retried, "/v1/jobs:retry", json=body)
            yield done
            body |= {"cursor": done.next_cursor}
            more = done.has_more

    def move(self, job_id: str, queue: Queue) -> Job:
        """Have the rest of a job done at the priority of another queue."""
        return self._transport.post(Job, f"{paths.job(job_id)}:reprioritise", json={"queue": queue.value})

    # Money

    def usage(self, by: str = "day", since: datetime | None = None, until: datetime | None = None) -> UsageReport:
        """What was used between two times (aware), by day, model, collection, job or kind."""
        bounds = {"since": since, "until": until}
        params = {"by": by, "limit": str(PAGE)} | {name: at.isoformat() for name, at in bounds.items() if at}
        report, *more = self._transport.pages(UsageReport, "/v1/usage", params)
        rows = [row for page in (report, *more) for row in page.data]
        return report.model_copy(update={"data": rows, "has_more": False, "next_cursor": None})


def _query(queue: Queue | None, on_conflict: Conflicts | None) -> dict[str, str]:
    return ({"queue": queue.value} if queue else {}) | ({"on_conflict": on_conflict} if on_conflict else {})


def _parts(files: Sequence[File]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (file.name, file.content)) for file in files]


def _filters(filters: JobFilters) -> dict[str, str]:
    given = {name: value for name, value in filters.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, datetime) else str(value) for name, value in given.items()}
