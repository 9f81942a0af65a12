"""What the contract names and this release cannot do: each answers 422 `not_available`, never something else."""

from collections.abc import Callable
from typing import NoReturn

from flask import Blueprint

from api.auth import needs
from dbrag.accounts.model import Scope
from dbrag.errors import NotAvailable

bp = Blueprint("later", __name__, url_prefix="/v1")  # not in the OpenAPI document, which says what there is


def _later(name: str, scope: Scope, detail: str) -> Callable[..., NoReturn]:
    @needs(scope)
    def view(**_: object) -> NoReturn:
        raise NotAvailable(detail)

    view.__name__ = name
    return view


bp.get("/jobs/<uuid:job_id>/events")(
    _later("job_events", Scope.READ, "events are not in this release: poll GET /v1/jobs/{id}")
)
