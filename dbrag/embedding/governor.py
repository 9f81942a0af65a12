"""When a request may be sent to the provider: one budget for all processes that share its key, by model."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from prometheus_client import Counter

from dbrag.cache import PAUSE_S
from dbrag.embedding.budget import Bucket, Budget, Kind, Limit, Limits, Verb
from dbrag.embedding.limits import said
from dbrag.embedding.shared import ALONE, SharedBudgets
from dbrag.settings import Settings

PARTS = 10
"""A process that is alone takes a tenth of each limit: ten that know nothing of each other keep to it together."""

DEFAULT_PAUSE_S = 10.0
MIN_PAUSE_S = 0.1
MAX_PAUSE_S = 600.0
"""A limit for a day may ask for hours; so often it is tried whether its owner has raised it."""

ASKED = Counter("dbrag_governor_asked", "Requests to the provider that asked to be sent.", ["answer", "by"])
PAUSES = Counter("dbrag_governor_pauses", "Answers 429 of the provider, each of which pauses its model.")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a model's limits; `shared` or of this process alone. No limit is known of a kind left out."""

    buckets: Mapping[Kind, Bucket]
    paused_s: float
    shared: bool


class Governor:
    """Asked before, and told after, every request. Make it after fork; safe to share between threads.

    The budget lies in the cache's Redis. While that is away, or none is set, this process alone keeps to a tenth
    (`PARTS`) of the last known limits, beginning with nothing; to none if none were ever known. A pause it always
    keeps.
    """

    def __init__(self, settings: Settings, quiet_s: float = PAUSE_S) -> None:
        self._start = _start_limits(settings)
        self._known: dict[str, Limits] = {}
        url = settings.cache_url
        self._shared = SharedBudgets(url.get_secret_value(), settings, quiet_s) if url else None
        if not url:
            ALONE.set(1)
        self._alone: dict[str, Budget] = {}
        self._lock = Lock()  # of what this process keeps alone

    def close(self) -> None:
        """Close its connections."""
        if self._shared:
            self._shared.close()

    def take(self, model: str, tokens: int) -> float:
        """0 if one request of so many tokens may be sent now, and is counted; else seconds after which to ask again.

        More tokens than a whole bucket pass when it is full.
        """
        wait_s = self._paused_here_s(model)
        by = "process"
        if wait_s == 0:
            wait_ms, by = self._order(model, "take", {"requests": 1, "tokens": tokens})
            wait_s = wait_ms / 1000
        ASKED.labels("wait" if wait_s else "granted", by).inc()
        return wait_s

    def count(self, model: str, tokens: int) -> None:
        """Counts a request that is sent without asking: a search's, or another try."""
        _, by = self._order(model, "count", {"requests": 1, "tokens": tokens})
        ASKED.labels("counted", by).inc()

    def learn(self, model: str, headers: Mapping[str, str]) -> None:
        """Takes over what an answer's headers say (names in any case)."""
        words = said(headers)
        if words:
            self._order(model, "learn", words)
            learned: Limits = {kind: Limit(word.limit, word.period_s, learned=True) for kind, word in words.items()}
            self._known[model] = {**self._known[model], **learned}

    def pause(self, model: str, seconds: float | None = None) -> None:
        """After a 429 nobody sends to the model for so long (10 s where the provider does not say)."""
        pause_s = min(max(DEFAULT_PAUSE_S if seconds is None else seconds, MIN_PAUSE_S), MAX_PAUSE_S)
        PAUSES.inc()
        log.warning("the provider's limit is reached", model=model, pause_s=pause_s)
        order = {"ms": round(pause_s * 1000)}
        self._order(model, "pause", order)
        self._order_here(model, "pause", order)  # also here, should Redis go away before the pause ends

    def paused(self) -> dict[str, float]:
        """Seconds left by model that is paused. Where Redis is away: of those pauses that this process met itself."""
        return {model: standing.paused_s for model, standing in self.standings().items() if standing.paused_s}

    def standings(self) -> dict[str, Standing]:
        """What is left now, by model that was asked for lately."""
        shared = self._shared.all() if self._shared else None
        if shared is None:
            with self._lock:
                return {model: _standing(budget, _now_ms(), shared=False) for model, budget in self._alone.items()}
        now_ms, budgets = shared
        return {model: _standing(budget, now_ms, shared=True) for model, budget in budgets.items()}

    def _order(self, model: str, verb: Verb, order: Any) -> tuple[int, str]:
        """Milliseconds to wait, and who says so."""
        limits, start = self._begin(model)
        answer = self._shared.order(model, verb, order, limits, start) if self._shared else None
        if answer is None:
            return self._order_here(model, verb, order), "process"
        wait_ms, budget = answer
        learned: Limits = {kind: bucket.as_limit() for kind, bucket in budget.buckets.items() if bucket.learned}
        self._known[model] = {**self._start, **learned}
        self._end_being_alone(model)
        return wait_ms, "redis"

    def _order_here(self, model: str, verb: Verb, order: Any) -> int:
        limits, start = self._begin(model)
        self._known.setdefault(model, limits)
        if verb == "learn":
            order = {kind: word.share(PARTS) for kind, word in order.items()}
        now_ms = _now_ms()
        with self._lock:
            budget = self._alone.setdefault(model, Budget(now_ms))
            budget.advance(now_ms, {kind: limit.share(PARTS) for kind, limit in limits.items()}, start)
            return budget.obey(now_ms, verb, order)

    def _begin(self, model: str) -> tuple[Limits, float]:
        """The limits of new buckets, and their level: 1 (full) at first only.

        One that this process has used was evicted, or lost with its server, and nobody knows what was left in it.
        """
        return self._known.get(model, self._start), 0.0 if model in self._known else 1.0

    def _end_being_alone(self, model: str) -> None:
        with self._lock:
            budget = self._alone.get(model)
            if budget and not budget.paused_s(_now_ms()):
                del self._alone[model]

    def _paused_here_s(self, model: str) -> float:
        with self._lock:
            budget = self._alone.get(model)
            return budget.paused_s(_now_ms()) if budget else 0.0


def _start_limits(settings: Settings) -> Limits:
    given: dict[Kind, int | None] = {"requests": settings.requests_per_minute, "tokens": settings.tokens_per_minute}
    return {kind: Limit(limit) for kind, limit in given.items() if limit is not None}


def _standing(budget: Budget, now_ms: int, *, shared: bool) -> Standing:
    return Standing(budget.left(now_ms), budget.paused_s(now_ms), shared)


def _now_ms() -> int:
    return round(monotonic() * 1000)
