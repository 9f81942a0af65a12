"""What a form or an address of the console holds, and what its fields offer."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from api import lookup
from api.console.navigation import may
from api.faults import invalid
from api.transaction import transaction
from dbrag.accounts.model import Scope
from dbrag.documents import collections
from dbrag.documents.model import Collection

Form = TypeVar("Form", bound=BaseModel)
# As many as a select is good for.
CHOICES = 200


def read(form: type[Form], sent: Mapping[str, str]) -> Form:
    """The fields that were filled in. Raises: Invalid."""
    try:
        return form.model_validate({name: value for name, value in sent.items() if value})
    except ValidationError as error:
        raise invalid(error) from error


def choices() -> list[Collection] | None:
    """The collections to choose from; None where the key may not see them, or there are too many: a name is typed."""
    if not may(Scope.READ):
        return None
    with transaction() as conn:
        found = collections.page(conn, lookup.tenant_id(), None, CHOICES + 1)
    return found if len(found) <= CHOICES else None
