"""The embedding provider: texts in, checked vectors and their cost out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Any, TypeAlias

import httpx
import openai
import orjson
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential

from dbrag.embedding import counts, pack
from dbrag.embedding.answers import Embedded, read_answer
from dbrag.embedding.failures import (
    ModelUnknown,
    ProviderFailed,
    RateLimited,
    RequestRefused,
    RequestTooLarge,
    failure,
)
from dbrag.embedding.governor import Governor
from dbrag.errors import DbragError, Permanent
from dbrag.settings import Settings

MAX_TRIES = 3
CONNECT_TIMEOUT_S = 5.0

SHORT_WAIT_S = 5.0
"""What a task sits out itself; where the provider asks for more, the job waits and the worker goes on."""

HARMLESS = "dbrag"
"""A text that no provider has a reason to refuse."""

PROBE_SHARE = 0.2
"""Of a request's time, for the harmless text: one word is answered soon, or the provider is in trouble."""

Wanted: TypeAlias = Callable[[Sequence[int]], Sequence[int]]

_backoff = wait_random_exponential(multiplier=0.5, min=0.1, max=SHORT_WAIT_S)


class _FewerWanted(Exception):
    """Before a request is repeated: somebody has cancelled texts of it."""


class Provider:
    """An OpenAI-compatible `/embeddings`; make it after fork, close it at exit. Safe to share between threads.

    The `governor` hears what the answers say of the limits. It is asked by the caller of `embed_each`, for the one
    request that this usually is; whatever else is sent is counted, and waits for nothing.
    """

    def __init__(self, settings: Settings, governor: Governor | None = None) -> None:
        self._governor = governor
        self._models = settings.models
        self._price_usd = settings.price_usd
        self._timeout_s = settings.provider_timeout_s
        self._client = openai.OpenAI(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            max_retries=0,  # retried here, where a rate limit is told from a failure and the time is bounded
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def embed(self, texts: Sequence[str], model: str, dimensions: int) -> Embedded:
        """The vectors of `texts` in one request, tried again within `provider_timeout_s` where it fails in passing.

        A search must not wait: the governor is not asked, and counts it.

        Raises RateLimited, OutOfQuota, KeyRefused, ProviderFailed (all Transient), or RequestTooLarge, RequestRefused.
        """
        answer = self._embed(texts, model, dimensions, monotonic() + self._timeout_s)
        if answer.unusable:
            raise ProviderFailed("The embedding provider answered a vector that is zero or not finite.")
        return answer

    def probe(self, model: str, dimensions: int) -> Embedded:
        """The cost of a harmless text, asked for once and without patience: raises as `embed` does where it fails."""
        deadline = monotonic() + PROBE_SHARE * self._timeout_s
        return self._embed_harmless(model, dimensions, deadline, tries=1)

    def embed_each(
        self,
        texts: Sequence[str],
        model: str,
        dimensions: int,
        wanted: Wanted = lambda positions: positions,
    ) -> Iterator[tuple[Sequence[int], Embedded | Permanent]]:
        """The vectors of `texts`, and the reason for each text that the provider refuses, as the answers arrive.

        A request that is refused is sent again in halves, until its bad texts stand alone. Each answer is yielded
        (positions in `texts`, vectors and cost) before the next request is sent, so that whatever is raised later
        takes back nothing that was paid. Positions may be empty: a cost without a text. All of it together takes
        `provider_timeout_s`; then, and for what concerns no single text, it raises as `embed` does.

        `wanted` is asked before each request but the first which of these positions are still worth paying for.
        """
        deadline = monotonic() + self._timeout_s
        todo: list[Sequence[int]] = [range(len(texts))] if texts else []
        first, harmless_passes = True, False
        while todo:
            positions = todo.pop() if first else wanted(todo.pop())
            if not positions:
                continue
            try:
                answer = self._embed(
                    [texts[position] for position in positions],
                    model,
                    dimensions,
                    deadline,
                    granted=first,
                    before_repeating=lambda asked=positions: _check(asked, wanted),
                )
            except ModelUnknown:
                raise
            except _FewerWanted:
                todo.append(positions)
            except (RequestTooLarge, RequestRefused) as refusal:
                if len(positions) == 1:
                    yield positions, refusal
                    continue
                if isinstance(refusal, RequestRefused) and not harmless_passes:
                    # Raises if it is not the texts that are refused: else 2,048 of them would cost 4,095 requests.
                    yield range(0), self._embed_harmless(model, dimensions, deadline)
                    harmless_passes = True
                middle = len(positions) // 2
                todo += [positions[middle:], positions[:middle]]
            else:
                yield positions, answer
            finally:
                first = False

    def _embed_harmless(self, model: str, dimensions: int, deadline: float, tries: int = MAX_TRIES) -> Embedded:
        answer = self._embed([HARMLESS], model, dimensions, deadline, tries=tries)
        return Embedded(answer.vectors[:0], answer.prompt_tokens)

    def _embed(
        self,
        texts: Sequence[str],
        model: str,
        dimensions: int,
        deadline: float,
        *,
        granted: bool = False,
        tries: int = MAX_TRIES,
        before_repeating: Callable[[], None] = lambda: None,
    ) -> Embedded:
        """One request and its repetitions; the first one is counted already where it was `granted`."""

        def count(state: RetryCallState) -> None:
            if state.attempt_number > 1:
                before_repeating()
            if self._governor and not (granted and state.attempt_number == 1):
                self._governor.count(model, sum(pack.estimate_tokens(text, 0) for text in texts))

        return repeating(count, deadline, tries)(self._ask, texts, model, dimensions, deadline)

    def _ask(self, texts: Sequence[str], model: str, dimensions: int, deadline: float) -> Embedded:
        name = model if model in self._models else "other"  # so that nobody can make as many series as he likes
        began = monotonic()
        try:
            answer = self._send(texts, model, dimensions, deadline)
        except DbragError as exc:
            counts.count_failed(name, exc.code, monotonic() - began)
            raise
        tokens = answer.prompt_tokens
        cost_usd = self._price_usd(model, tokens)
        counts.count_answered(name, monotonic() - began, inputs=len(texts), tokens=tokens, cost_usd=cost_usd)
        return answer

    def _send(self, texts: Sequence[str], model: str, dimensions: int, deadline: float) -> Embedded:
        left_s = deadline - monotonic()
        if left_s <= 0:
            raise ProviderFailed(f"The embedding provider needed more than {self._timeout_s:g} s for these texts.")
        try:
            # Not `embeddings.create`, which looks at the type of each text and makes a Python float of every number:
            # with a thousand texts it takes three times as long.
            response = self._client.post(
                "/embeddings",
                cast_to=httpx.Response,
                content=self._request(texts, model, dimensions),
                options={
                    "headers": {"Content-Type": "application/json"},
                    "timeout": openai.Timeout(left_s, connect=min(left_s, CONNECT_TIMEOUT_S)),
                },
            )
        except openai.APIError as exc:
            error = failure(exc)
            if isinstance(exc, openai.APIStatusError):
                self._hear(model, exc.response.headers, error)
            raise error from exc
        self._hear(model, response.headers)
        return read_answer(response.content, len(texts), dimensions)

    def _hear(self, model: str, headers: Mapping[str, str], error: DbragError | None = None) -> None:
        if self._governor:
            self._governor.learn(model, headers)
            if isinstance(error, RateLimited):
                self._governor.pause(model, error.retry_after_s)

    def _request(self, texts: Sequence[str], model: str, dimensions: int) -> bytes:
        request: dict[str, Any] = {"input": texts, "model": model, "encoding_format": "base64"}
        if self._shortens(model, dimensions):
            request["dimensions"] = dimensions
        return orjson.dumps(request)

    def _shortens(self, model: str, dimensions: int) -> bool:
        """Whether to ask for fewer dimensions than is the model's nature; many servers refuse the parameter."""
        known = self._models.get(model)
        return known is not None and known.shortens and known.dimensions != dimensions


def _check(positions: Sequence[int], wanted: Wanted) -> None:
    if len(wanted(positions)) < len(positions):
        raise _FewerWanted


def repeating(before: Callable[[RetryCallState], None], deadline: float, tries: int = MAX_TRIES) -> Retrying:
    """Tries a request again where it fails in passing, until `deadline` (of `monotonic`) at most; `before` each try."""
    return Retrying(
        before=before,
        retry=retry_if_exception(_passes_soon),
        wait=_wait_s,
        stop=stop_after_attempt(tries) | stop_before_delay(deadline - monotonic()),
        reraise=True,
    )


def _passes_soon(error: BaseException) -> bool:
    """Whether the same request is worth another try in the same call."""
    return isinstance(error, ProviderFailed) and (error.retry_after_s or 0) <= SHORT_WAIT_S


def _wait_s(state: RetryCallState) -> float:
    """A random part of 0.5 s, 1 s, …, never less than 0.1 s; at least what the provider asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, ProviderFailed) else None
    return max(_backoff(state), asked_s or 0)
