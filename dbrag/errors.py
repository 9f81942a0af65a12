"""The one tree of errors: what went wrong, whether trying again helps, and how the API says it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong place in a request: a JSON pointer (RFC 6901) and what to do about it."""

    pointer: str
    detail: str


class DbragError(Exception):
    """Root of all errors that dbrag raises on purpose.

    `code` is for programs and never changes for the same cause; `detail` is for people and says what to do next;
    `status` is the HTTP status the API answers with. `retryable` is decided by the two branches below.
    """

    code = "internal"
    status = 500
    retryable = False

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        faults: tuple[Fault, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.faults = faults
        self.retry_after_s = retry_after_s


class Permanent(DbragError):
    """The same request would fail the same way: do not try again."""


class Transient(DbragError):
    """Waiting helps: try again after `retry_after_s` (seconds), or after a backoff where it is None."""

    code = "unavailable"
    status = 503
    retryable = True


class TooMuchWaiting(Transient):
    """The tenant has as much waiting as it may have."""

    code = "too_much_waiting"
    status = 429


class RateLimited(Transient):
    """The key has made as many requests as it may for now."""

    code = "rate_limited"
    status = 429


class Invalid(Permanent):
    """The request is understood and wrong; `faults` name the fields."""

    code = "invalid"
    status = 422


class NotAvailable(Permanent):
    """Part of the contract, but not of this release."""

    code = "not_available"
    status = 422


class Unauthorized(Permanent):
    """No API key or JWT, or one that is unknown, wrong, expired or revoked."""

    code = "unauthorized"
    status = 401


class Forbidden(Permanent):
    """The API key or JWT lacks the scope, or names a tenant that nobody made."""

    code = "forbidden"
    status = 403


class NotFound(Permanent):
    """No such thing for this tenant; another tenant's things are not found either."""

    code = "not_found"
    status = 404


class Conflict(Permanent):
    """The thing is in a state that does not allow this."""

    code = "conflict"
    status = 409


class InFlight(Transient):
    """The same request is being answered at this moment."""

    code = "in_flight"
    status = 409


class TooLarge(Permanent):
    """A body or an item over its limit."""

    code = "too_large"
    status = 413


class UnsupportedType(Permanent):
    """A media type that nothing here can read."""

    code = "unsupported_type"
    status = 415
