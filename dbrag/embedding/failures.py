"""What a request to the provider fails with, and what that means: wait, repair, send less, or give the text up."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import openai

from dbrag.errors import DbragError, Permanent, Transient

MAX_LIMIT_WAIT_S = 60.0
"""Rate limits are per minute, so a minute refills them; `x-ratelimit-reset-*` of a daily limit may say hours."""

_TOO_LARGE_CODES = {"max_tokens_per_request", "array_above_max_length", "context_length_exceeded"}
_TOO_LARGE = re.compile(
    r"tokens per request|maximum (context|input|request)|array too long|too many inputs|batch size|too (large|long)",
    re.I,
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class RateLimited(Transient):
    """The provider's limit for a minute is reached; `retry_after_s` is None where it does not say how long."""

    code = "rate_limited"


class NotGranted(RateLimited):
    """The governor expects that limit to be reached by this request: a smaller one may pass."""


class Stopped(Transient):
    """The worker is about to end: its texts are for others."""

    code = "stopped"


class OutOfQuota(Transient):
    """The provider account's budget is spent: work waits until its owner raises it."""

    code = "out_of_quota"


class KeyRefused(Transient):
    """The provider does not accept the key: work waits until an operator repairs it."""

    code = "key_refused"


class ProviderFailed(Transient):
    """No answer, or none that can be used."""

    code = "provider_failed"


class DimensionsDiffer(ProviderFailed):
    """Vectors of another length than the collection's: asked again now, in case it passes, but not for ever."""

    code = "dimensions_differ"


class RequestTooLarge(Permanent):
    """Too many texts, or too long ones: smaller requests may pass."""

    code = "request_too_large"


class RequestRefused(Permanent):
    """The provider will not take this request: one of its texts, or how it is asked."""

    code = "request_refused"


class ModelUnknown(RequestRefused):
    """The provider has no such model, whatever the texts."""

    code = "model_unknown"


def failure(error: openai.APIError) -> DbragError:
    """The error of dbrag that stands for one of the openai client's."""
    if isinstance(error, openai.APITimeoutError):
        return ProviderFailed("The embedding provider did not answer in time.")
    if isinstance(error, openai.APIStatusError):
        return _answered(error)
    return ProviderFailed(f"The embedding provider could not be reached, or broke off: {error.__cause__ or error}.")


def _answered(error: openai.APIStatusError) -> DbragError:
    match error.status_code:
        case 401 | 403:
            # Their own words are left out: they quote parts of the key.
            return KeyRefused("The embedding provider refuses the API key: check OPENAI_API_KEY and what it may use.")
        case 429 if "insufficient_quota" in (error.code, error.type):
            return OutOfQuota("The embedding provider's account is out of quota: raise its budget.")
        case 429:
            return RateLimited(
                "The embedding provider's rate limit is reached.", retry_after_s=retry_after_s(error.response.headers)
            )
        case 400 | 404 | 413 | 422:
            return _refusal(error)
        case _:
            return ProviderFailed(
                f"The embedding provider failed with status {error.status_code}: {_message(error)}",
                retry_after_s=retry_after_s(error.response.headers),
            )


def _refusal(error: openai.APIStatusError) -> DbragError:
    message = _message(error)
    if error.code == "model_not_found":
        return ModelUnknown(f"The embedding provider does not know the model: {message}")
    if error.status_code == 404:  # also what a proxy answers whose backend is away
        return ProviderFailed(f"The embedding provider was not found: {message}")
    if error.status_code == 413 or error.code in _TOO_LARGE_CODES or _TOO_LARGE.search(message):
        return RequestTooLarge(f"Too much for the embedding provider: {message}")
    return RequestRefused(f"The embedding provider refuses the request: {message}")


def _message(error: openai.APIStatusError) -> str:
    """The provider's words; compatible servers answer with a plain string, or with a page of a proxy's HTML."""
    body = error.body
    return str(body.get("message") or body if isinstance(body, Mapping) else body)[:300]  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait, from whichever of its headers says so; None where none does."""
    if (after_ms := _number(headers.get("retry-after-ms"))) is not None:
        return after_ms / 1000
    after = headers.get("retry-after")
    if after:
        return _number(after) if _number(after) is not None else _until(after)
    resets = [duration_s(headers[name]) for name in headers if name.lower().startswith("x-ratelimit-reset")]
    return min(max(resets), MAX_LIMIT_WAIT_S) if any(resets) else None


def _number(value: str | None) -> float | None:
    return float(value) if value and re.fullmatch(r"\d+(\.\d+)?", value.strip()) else None


def _until(http_date: str) -> float | None:
    with suppress(ValueError, TypeError):  # no date, or one without a zone
        return max(0.0, (parsedate_to_datetime(http_date) - datetime.now(UTC)).total_seconds())


def duration_s(value: str) -> float:
    """Seconds of a duration such as `6m0s` or `20ms`; 0 where it is none."""
    return sum(float(number) * _UNIT_S[unit] for number, unit in _DURATION.findall(value))
