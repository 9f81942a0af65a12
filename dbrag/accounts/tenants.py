"""Tenants: listed, and how much of the workers each gets."""

from psycopg.rows import class_row

from dbrag.accounts.model import Tenant
from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.errors import Fault, Invalid, NotFound

SQL = beside(__file__)
MAX_WEIGHT = 1000


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
