"""The HTTP client of the command line: typed answers, one kind of error, patience where the API asks for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from dbrag.cli.address import Address
from dbrag.cli.catalog_model import Connection, Route, Table, TablesFound, TableSummary
from dbrag.cli.model import Collection, Hit, Item, Job, Page, Retried
from dbrag.cli.refusal import refusal
from dbrag.cli.sources import Source
from dbrag.errors import NotFound, Permanent, Transient
from dbrag.vectors.model import Mode

# A page of a list at most (DESIGN: limit 1–200).
PAGE = 200
# Jobs in one call of `/v1/jobs:retry`: some seconds' work (1000 at most).
RETRIES = 500
NOTICEABLE_S = 1.0
B = TypeVar("B", bound=BaseModel)


class Unreachable(Transient):
    """Nothing that speaks HTTP answered."""

    code = "unreachable"


class Client:
    """Calls the API at `address`.

    An API that says "later" (429, 503) is asked again when it said, for `patience_s` seconds in all; so is one that
    fell silent after it had answered once: a document that arrives twice replaces itself. One that never answered is
    reported at once, since the address is likely wrong. `notice` is told of waits that a person would notice.
    All methods raise dbrag.errors.
    """

    def __init__(self, address: Address, *, notice: Callable[[str], None], patience_s: float = 60.0) -> None:
        self.address = address
        self._notice = notice
        self._has_answered = False
        self._waits_for = ""
        self._patience_s = patience_s
        self._http = httpx.Client(
            base_url=_checked_url(address.api),
            headers={"Authorization": f"Bearer {address.key}"},
            timeout=httpx.Timeout(60.0, connect=5.0),
            trust_env=not is_loopback(address.api),  # a company's proxy cannot reach this machine's loopback
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def put_collection(self, name: str, **wish: Any) -> None:
        """Create the collection, or have the API confirm that it stands with what `wish` names."""
        self._send("PUT", _collection(name), json=wish)

    def ensure_collection(self, name: str) -> bool:
        """True if it had to be created. Looks first: looking needs the scope `read`, creating needs `manage`."""
        try:
            self._send("GET", _collection(name))
        except NotFound:
            self.put_collection(name)
            return True
        return False

    def send_files(self, collection: str, files: Sequence[Source], queue: str) -> Job:
        """Send one batch; a file's name becomes its external_id."""
        parts = [("file", (file.name, file.read())) for file in files]
        return self._post_job(_collection(collection) + "/documents:batch", params={"queue": queue}, files=parts)

    def send_document(self, collection: str, document: Mapping[str, Any]) -> Job:
        return self._post_job(_collection(collection) + "/documents", json=document)

    def search(self, collection: str, query: str, limit: int, mode: Mode = Mode.VECTOR) -> list[Hit]:
        body = {"query": query, "limit": limit, "mode": mode.value}
        return self._parse(Page[Hit], self._send("POST", _collection(collection) + "/search", json=body)).data

    def job(self, job_id: str) -> Job:
        return self._parse(Job, self._send("GET", _job(job_id)))

    def jobs(self, filters: Mapping[str, str | None], limit: int) -> list[Job]:
        """The newest `limit` jobs that match all filters (status, kind, queue, collection, code, since, until)."""
        params = {name: value for name, value in filters.items() if value is not None}
        found: list[Job] = []
        for page in self._pages(Page[Job], "/v1/jobs", params | {"limit": str(min(limit, PAGE))}):
            found += page.data
            if len(found) >= limit:
                break
        return found[:limit]

    def failed_items(self, job_id: str) -> Iterator[Item]:
        params = {"status": "failed", "limit": str(PAGE)}
        for page in self._pages(Page[Item], _job(job_id) + "/items", params):
            yield from page.data

    def cancel(self, job_id: str) -> Job:
        return self._post_job(_job(job_id) + ":cancel")

    def retry(self, job_id: str) -> Job:
        return self._post_job(_job(job_id) + ":retry")

    def move(self, job_id: str, queue: str) -> Job:
        return self._post_job(_job(job_id) + ":reprioritise", json={"queue": queue})

    def retry_matching(self, filters: Mapping[str, str | None]) -> Iterator[Retried]:
        """Try again what matches all filters (see `jobs`), as many jobs at once as the API takes."""
        body = {name: value for name, value in filters.items() if value is not None} | {"limit": RETRIES}
        more = True
        while more:
            done = self._parse(Retried, self._send("POST", "/v1/jobs:retry", json=body))
            yield done
            body |= {"cursor": done.next_cursor}
            more = done.has_more

    def collections(self) -> Iterator[Collection]:
        for page in self._pages(Page[Collection], "/v1/collections", {"limit": str(PAGE)}):
            yield from page.data

    def pause(self, name: str) -> None:
        self._send("POST", _collection(name) + ":pause")

    def resume(self, name: str) -> None:
        self._send("POST", _collection(name) + ":resume")

    def put_connection(self, name: str, **wish: Any) -> Connection:
        """Register a database; `wish` has its `dsn` and what else the API takes."""
        return self._parse(Connection, self._send("PUT", _connection(name), json=wish))

    def connections(self) -> Iterator[Connection]:
        for page in self._pages(Page[Connection], "/v1/connections", {"limit": str(PAGE)}):
            yield from page.data

    def delete_connection(self, name: str) -> None:
        self._send("DELETE", _connection(name))

    def update_catalog(self, name: str, **scope: Any) -> Job:
        """Have a database's tables described; `scope`: schema, table, force, queue."""
        return self._post_job(f"{_connection(name)}/catalog:update", json={k: v for k, v in scope.items() if v})

    def tables(self, name: str) -> Iterator[TableSummary]:
        for page in self._pages(Page[TableSummary], f"{_connection(name)}/tables", {"limit": str(PAGE)}):
            yield from page.data

    def table(self, name: str, full_name: str) -> tuple[Table, str]:
        """One table, and the whole answer as JSON."""
        response = self._send("GET", f"{_connection(name)}/tables/{quote(full_name, safe='')}")
        return self._parse(Table, response), response.text

    def search_catalog(self, query: str, connections: Sequence[str] | None, limit: int) -> tuple[TablesFound, str]:
        """The tables that answer a question, and the whole answer as JSON."""
        body = {"query": query, "limit": limit} | ({"connections": list(connections)} if connections else {})
        response = self._send("POST", "/v1/catalog/search", json=body)
        return self._parse(TablesFound, response), response.text

    def route(self, query: str) -> tuple[Route, str]:
        """Whether documents or tables answer a question, and the whole answer as JSON."""
        response = self._send("POST", "/v1/route", json={"query": query})
        return self._parse(Route, response), response.text

    def _post_job(self, path: str, **request: Any) -> Job:
        return self._parse(Job, self._send("POST", path, **request))

    def _pages(self, kind: type[Page[B]], path: str, params: dict[str, str]) -> Iterator[Page[B]]:
        more = True
        while more:
            page = self._parse(kind, self._send("GET", path, params=params))
            yield page
            params = params | {"cursor": page.next_cursor or ""}
            more = page.has_more

    def _parse(self, kind: type[B], response: httpx.Response) -> B:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as exc:
            raise Permanent(f"{self.address.api} does not answer like the dbrag API of this version.") from exc

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        retrying = Retrying(
            retry=retry_if_exception(self._is_worth_waiting_for),
            wait=_wait_s,
            stop=stop_before_delay(self._patience_s),
            before_sleep=self._say_why,
            reraise=True,
        )
        return retrying(self._send_once, method, path, **request)

    def _send_once(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **request)
        except httpx.TransportError as exc:
            raise Unreachable(
                f"No API answers at {self.address.api} ({exc or type(exc).__name__}). "
                "Is it running? `make up` starts one; `dbrag doctor` says more."
            ) from exc
        self._has_answered = True
        if not response.is_success:
            raise refusal(response)
        return response

    def _say_why(self, state: RetryCallState) -> None:
        reason = str(state.outcome.exception()) if state.outcome else ""
        if state.upcoming_sleep >= NOTICEABLE_S and reason != self._waits_for:
            self._notice(f"{reason.rstrip('.')}. Trying again for up to {self._patience_s:.0f} s.")
            self._waits_for = reason

    def _is_worth_waiting_for(self, error: BaseException) -> bool:
        return isinstance(error, Transient) and self._has_answered


def _collection(name: str) -> str:
    return f"/v1/collections/{quote(name, safe='')}"


def _connection(name: str) -> str:
    return f"/v1/connections/{quote(name, safe='')}"


def _job(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, Transient) else None
    return wait_random_exponential(multiplier=0.5, max=10)(state) if asked_s is None else asked_s


def _checked_url(api: str) -> httpx.URL:
    try:
        url = httpx.URL(api)
    except httpx.InvalidURL as exc:
        raise Permanent(f"{api!r} is not a URL ({exc}).") from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise Permanent(f"{api!r} is not the URL of an API; it should look like http://127.0.0.1:8000.")
    return url


def is_loopback(api: str) -> bool:
    """Whether a URL leads to this machine itself."""
    host = httpx.URL(api).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
