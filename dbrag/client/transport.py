"""How requests reach the API: typed answers, one kind of error, patience where the API asks for it."""

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel, ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from dbrag.client.model import Job, Page
from dbrag.client.refusal import refusal
from dbrag.errors import Invalid, Permanent, Transient

B = TypeVar("B", bound=BaseModel)
P = TypeVar("P", bound=Page[Any])
NOTICEABLE_S = 1.0
CONNECT_S = 5.0
TOKEN = re.compile(r"[\w.~+/-]+=*", re.ASCII)  # RFC 6750, 2.1: API keys and JWTs
IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class Unreachable(Transient):
    """Nothing that speaks HTTP answered."""

    code = "unreachable"


class Transport:
    """Sends requests, again and again for `patience_s` seconds where waiting helps.

    That is: "later" (429, 502, 503, 504), no sooner than the answer's `Retry-After`, and a connection that broke. An
    address that never answered and refuses connections is likely wrong, and reported at once. `notice` is told of waits
    that a person would notice.
    """

    def __init__(
        self, base_url: str, api_key: str, *, patience_s: float, timeout_s: float, notice: Callable[[str], None]
    ) -> None:
        url = _checked_url(base_url)
        if not TOKEN.fullmatch(api_key):
            raise Permanent("The API key is not like `dbrag_…`: give all of what `dbrag keys create` printed, no more.")
        self.base_url = base_url.rstrip("/")
        self.patience_s = patience_s
        self._notice = notice
        self._has_answered = False
        self._waits_for = ""
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            trust_env=not is_loopback(base_url),  # a company's proxy cannot reach this machine's loopback
        )

    def close(self) -> None:
        self._http.close()

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer, if it is a success; `request`: params, json, files, headers. Raises: dbrag.errors."""
        return self._retrying(self.patience_s)(self._send_once, method, path, **request)

    def get(self, kind: type[B], path: str, **request: Any) -> B:
        return self.parse(kind, self.send("GET", path, **request))

    def post(self, kind: type[B], path: str, **request: Any) -> B:
        return self.parse(kind, self.send("POST", path, **request))

    def make_job(self, path: str, idempotency_key: str | None, **request: Any) -> Job:
        """POST with an Idempotency-Key: however often it has to be sent, it makes one job."""
        if idempotency_key is not None and not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
            raise Invalid("An Idempotency-Key has 1 to 255 printable ASCII characters; a UUID is a good one.")
        headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
        return self.post(Job, path, headers=headers, **request)

    def pages(self, kind: type[P], path: str, params: dict[str, str]) -> Iterator[P]:
        more = True
        while more:
            page = self.get(kind, path, params=params)
            yield page
            params = params | {"cursor": page.next_cursor or ""}
            more = page.has_more

    @contextmanager
    def stream(
        self, path: str, headers: dict[str, str], *, patience_s: float, silence_s: float
    ) -> Generator[Iterator[bytes]]:
        """The lines of an answer as they come; a stream that says nothing for `silence_s` counts as broken.

        Raises: Unreachable where it breaks; others of dbrag.errors before it begins.
        """
        timeout = httpx.Timeout(silence_s, connect=CONNECT_S)
        request = self._http.build_request("GET", path, headers=headers, timeout=timeout)
        response = self._retrying(patience_s)(self._open_once, request)
        try:
            yield _lines(response)
        except httpx.TransportError as exc:
            raise self._unreachable(exc) from exc
        finally:
            response.close()

    def parse(self, kind: type[B], response: httpx.Response) -> B:
        return self.parse_json(kind, response.content)

    def parse_json(self, kind: type[B], body: bytes) -> B:
        try:
            return kind.model_validate_json(body)
        except ValidationError as exc:
            raise Permanent(f"{self.base_url} does not answer like the dbrag API of this version.") from exc

    def _send_once(self, method: str, path: str, **request: Any) -> httpx.Response:
        return self._open_once(self._http.build_request(method, path, **request), stream=False)

    def _open_once(self, request: httpx.Request, *, stream: bool = True) -> httpx.Response:
        try:
            response = self._http.send(request, stream=stream)
            if not response.is_success:
                response.read()
        except httpx.TransportError as exc:
            raise self._unreachable(exc) from exc
        self._has_answered = True
        if not response.is_success:
            raise refusal(response)
        return response

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        return Unreachable(
            f"No API answers at {self.base_url} ({error or type(error).__name__}). "
            "Is it running? `make up` starts one; `dbrag doctor` says more."
        )

    def _retrying(self, patience_s: float) -> Retrying:
        return Retrying(
            retry=retry_if_exception(self._is_worth_waiting_for),
            wait=pause_s,
            stop=stop_before_delay(patience_s),
            before_sleep=self._say_why,
            reraise=True,
        )

    def _is_worth_waiting_for(self, error: BaseException) -> bool:
        never_connected = isinstance(error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout))
        return isinstance(error, Transient) and (self._has_answered or not never_connected)

    def _say_why(self, state: RetryCallState) -> None:
        reason = str(state.outcome.exception()) if state.outcome else ""
        if state.upcoming_sleep >= NOTICEABLE_S and reason != self._waits_for:
            self._notice(f"{reason.rstrip('.')}. Trying again for up to {self.patience_s:.0f} s.")
            self._waits_for = reason


def pause_s(state: RetryCallState) -> float:
    """Seconds until the next try: what the answer asked for, else a random time that grows to 10 s."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, Transient) else None
    return wait_random_exponential(multiplier=0.5, max=10)(state) if asked_s is None else asked_s


def _lines(response: httpx.Response) -> Iterator[bytes]:
    """Cut at line feeds only: a text may hold other characters that str.splitlines takes for an end of line."""
    rest = b""
    for block in response.iter_bytes():
        *whole, rest = (rest + block).split(b"\n")
        yield from (line.removesuffix(b"\r") for line in whole)


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
