"""What the contract names and this release cannot do: each answers 422 `not_available`, never something else."""

from collections.abc import Callable
from typing import NoReturn

from flask import Blueprint

from api.auth import needs
from dbrag.accounts.model import Scope
from dbrag.errors import NotAvailable

bp = Blueprint("later", __name__, url_prefix="/v1")  # not in the OpenAPI document, which says what there is

NO_CATALOG = "describing databases is not in this release: send your tables as documents of a collection"


def _later(name: str, scope: Scope, detail: str) -> Callable[..., NoReturn]:
    @needs(scope)
    def view(**_: object) -> NoReturn:
        raise NotAvailable(detail)

    view.__name__ = name
    return view


bp.put("/connections/<name>")(_later("put_connection", Scope.MANAGE, NO_CATALOG))
bp.post("/connections/<name>/catalog:update")(_later("update_catalog", Scope.MANAGE, NO_CATALOG))
bp.get("/connections/<name>/tables")(_later("list_tables", Scope.READ, NO_CATALOG))
bp.post("/catalog/search")(_later("search_catalog", Scope.SEARCH, NO_CATALOG))
bp.get("/usage")(_later("get_usage", Scope.READ, "usage over time is not in this release: each job has its `usage`"))
bp.get("/jobs/<uuid:job_id>/events")(
    _later("job_events", Scope.READ, "events are not in this release: poll GET /v1/jobs/{id}")
)
