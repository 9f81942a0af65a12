"""An error answer of the API, turned back into the error it stands for."""

from datetime import UTC, datetime

import httpx
from pydantic import BaseModel, ValidationError

from dbrag import errors
from dbrag.client.retry_after import retry_after_s
from dbrag.errors import DbragError, Permanent, Transient

BY_STATUS: dict[int, type[Permanent]] = {
    kind.status: kind
    for kind in (
        errors.Unauthorized,
        errors.Forbidden,
        errors.NotFound,
        errors.Conflict,
        errors.TooLarge,
        errors.UnsupportedType,
        errors.Invalid,
    )
}
# "Too many requests", and what a server or the proxy before it says while the API starts or restarts.
PASSING = (429, 502, 503, 504)


class Fault(BaseModel):
    pointer: str = ""
    detail: str = ""


class Problem(BaseModel):
    """The members of application/problem+json (RFC 9457) that matter to a person."""

    title: str = ""
    detail: str = ""
    code: str = "internal"
    request_id: str | None = None
    retryable: bool = False
    errors: list[Fault] = []


def refusal(response: httpx.Response) -> DbragError:
    """The error for an answer that is not a success; `retry_after_s` is set where the API said when to come back."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:  # not dbrag: a proxy, or another program on that port
        problem = Problem()
    detail = _sentence(response, problem)
    faults = tuple(errors.Fault(fault.pointer, fault.detail) for fault in problem.errors)
    if response.status_code in PASSING or problem.retryable:
        asked_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
        return Transient(detail, code=problem.code, faults=faults, retry_after_s=asked_s)
    if problem.code == errors.NotAvailable.code:
        return errors.NotAvailable(detail, faults=faults)
    return BY_STATUS.get(response.status_code, Permanent)(detail, code=problem.code, faults=faults)


def _sentence(response: httpx.Response, problem: Problem) -> str:
    said = problem.detail or problem.title or response.reason_phrase or "an answer without a reason"
    places = "; ".join(f"{fault.pointer}: {fault.detail}".lstrip(": ") for fault in problem.errors)
    sentence = f"{said} ({places})" if places else said
    if response.status_code == 500:  # only the server's log knows more
        sentence += f" (request id {problem.request_id or 'unknown'})"
    return sentence
