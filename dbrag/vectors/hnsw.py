"""Building one segment's HNSW index, in a session with the memory and the workers for it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from psycopg.sql import Identifier

from dbrag.database.pool import Connection, connect
from dbrag.database.queries import beside
from dbrag.jobs.model import Claim
from dbrag.settings import Settings
from dbrag.vectors.model import Generation
from dbrag.vectors.tables import segment_table, segment_table_name

SQL = beside(__file__, "hnsw.sql")
BUILDERS = "dbrag index build"
"""`application_name` of these sessions: they search nothing, so that no merge has to wait for another one's build."""


@contextmanager
def session(settings: Settings) -> Generator[Connection]:
    """A connection in autocommit, as CONCURRENTLY wants it. Raises: Transient."""
    with connect(settings, autocommit=True) as conn:
        conn.execute(
            SQL.set_up,
            {
                "name": BUILDERS,
                "memory": f"{settings.maintenance_work_mem_mb}MB",
                "workers": str(settings.index_build_workers),
                "check": f"{settings.lease_s / 6:.3f}s",
            },
        )
        yield conn


def build_in_place(conn: Connection, generation: Generation, segment_id: int) -> None:
    """Builds the index of a segment that is searched meanwhile.

    What an interrupted build left behind is dropped first, so this may be repeated at any time.
    """
    names = _names(generation, segment_id)
    drop_invalid(conn, generation, segment_id)
    if _is_valid(conn, generation, segment_id) is None:
        conn.execute(SQL.index_in_place.format(**names))
    conn.execute(SQL.analyze_segment.format(**names))
    conn.execute(SQL.mark_indexed.format(**names), {"id": segment_id})


def build_apart(conn: Connection, generation: Generation, segment_id: int) -> None:
    """Builds the index of a segment that nobody uses yet."""
    names = _names(generation, segment_id)
    conn.execute(SQL.index_apart.format(**names))
    conn.execute(SQL.analyze_segment.format(**names))


def drop_invalid(conn: Connection, generation: Generation, segment_id: int) -> None:
    """Drops what an interrupted build left behind."""
    if _is_valid(conn, generation, segment_id) is False:
        conn.execute(SQL.drop_index.format(**_names(generation, segment_id)))


def record_share(builder: Connection, claim: Claim, conn: Connection) -> None:
    """Writes how far the build that `builder` makes is into its job."""
    conn.execute(SQL.built_share, {"id": claim.id, "claim_id": claim.claim_id, "pid": builder.info.backend_pid})


def _is_valid(conn: Connection, generation: Generation, segment_id: int) -> bool | None:
    row = conn.execute(SQL.index_is_valid, {"index": _index_name(generation, segment_id)}).fetchone()
    return row[0] if row else None


def _index_name(generation: Generation, segment_id: int) -> str:
    return f"{segment_table_name(generation.id, segment_id)}_hnsw"


def _names(generation: Generation, segment_id: int) -> dict[str, Any]:
    return {
        "index": Identifier(_index_name(generation, segment_id)),
        "segment": segment_table(generation.id, segment_id),
        "operators": Identifier(f"{generation.storage}_cosine_ops"),
        "m": generation.m,
        "ef_construction": generation.ef_construction,
    }
