"""What one task works with when it updates a catalog, and for how long."""

from dataclasses import dataclass
from time import monotonic
from typing import Self

from dbrag.catalog import connections, home
from dbrag.catalog.describe import describer
from dbrag.catalog.fingerprint import fingerprint
from dbrag.catalog.model import Connection, Table
from dbrag.documents.model import Collection
from dbrag.errors import Permanent
from dbrag.jobs.model import Claim
from dbrag.runtime import Runtime

# After this share of its lease a task begins no further table; the statement that is under way, and a description with
# its repair (block.DESCRIBING), still fit into its time limit.
SLICE = 0.25


@dataclass(frozen=True, slots=True)
class Slice:
    """A claimed job, its connection, the collection of its catalog, and the end of its time (monotonic)."""

    runtime: Runtime
    claim: Claim
    connection: Connection
    collection: Collection
    deadline: float

    @classmethod
    def of(cls, runtime: Runtime, claim: Claim) -> Self:
        """Raises: Permanent where the connection has been deleted."""
        deadline = monotonic() + SLICE * runtime.settings.lease_s
        with runtime.pool.connection() as conn:
            connection = connections.by_id(conn, int(claim.params["connection_id"]))
            collection = home.find(conn, claim.tenant_id)
        if connection is None or collection is None:
            raise Permanent("its connection has been deleted", code="connection_deleted")
        return cls(runtime, claim, connection, collection, deadline)

    def is_over(self) -> bool:
        """Whether the time has passed, or the worker is to end."""
        return monotonic() > self.deadline or self.runtime.draining()

    def fingerprint(self, table: Table) -> bytes:
        """What changes when the table, its describer, or what may be seen of its rows does."""
        seen = repr(self.connection.masking), f"{self.connection.sample_rows} rows"
        return fingerprint(table, describer(self.runtime.settings), *seen)
