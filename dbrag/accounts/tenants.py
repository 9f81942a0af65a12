"""Tenants: made, found, listed, and how much of the workers each gets."""

from uuid import UUID

from psycopg.rows import class_row
from uuid_utils.compat import uuid7

from dbrag.accounts.model import Tenant
from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import Fault, Invalid, NotFound

SQL = beside(__file__)
MAX_WEIGHT = 1000


def create(conn: Connection, name: str) -> bool:
    """Makes a tenant; False where it stands. Raises: Invalid for a name that cannot be read."""
    if not name.strip() or not name.isprintable():
        raise Invalid("a tenant's name is printable text", faults=(Fault("/name", "must be printable text"),))
    return conn.execute(SQL.insert_tenant, {"id": uuid7(), "name": name}).fetchone() is not None


def find(conn: Connection, name: str) -> UUID | None:
    """The id of the tenant with this name."""
    row = conn.execute(SQL.find_tenant, {"name": name}).fetchone()
    return row[0] if row else None


def list_tenants(conn: Connection) -> list[Tenant]:
    """All tenants, by name."""
    with conn.cursor(row_factory=class_row(Tenant)) as cursor:
        return cursor.execute(SQL.list_tenants).fetchall()


def set_weight(conn: Connection, name: str, weight: int) -> None:
    """Gives a tenant `weight` turns where one of weight 1 gets one. Raises: Invalid outside 1 to 1000, NotFound."""
    if not 1 <= weight <= MAX_WEIGHT:
        detail = f"must be 1 to {MAX_WEIGHT}, not {weight}"
        raise Invalid(f"a tenant's weight {detail}", faults=(Fault("/weight", detail),))
    if conn.execute(SQL.set_weight, {"name": name, "weight": weight}).fetchone() is None:
        raise NotFound(f"there is no tenant {name!r}: see `dbrag tenants list`")
