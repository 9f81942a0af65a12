"""Collections: made, changed where that is possible, found, deleted."""

from collections.abc import Iterable
from uuid import UUID

from psycopg.rows import class_row

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.model import Collection, CollectionWish, Storage
from dbrag.errors import Fault, Invalid, NotAvailable, NotFound
from dbrag.jobs import settle
from dbrag.settings import Settings
from dbrag.vectors.model import GenerationStatus

SQL = beside(__file__)
# pgvector's own.
DEFAULT_M, DEFAULT_EF_CONSTRUCTION = 16, 64


def put(
    conn: Connection, tenant_id: UUID, name: str, wish: CollectionWish, settings: Settings
) -> tuple[Collection, bool]:
    """Makes the collection, or brings the standing one to what is wished; True where it was made.

    Raises: Invalid for dimensions that the model does not have; NotAvailable for another model, dimensions or storage
    than the standing collection has, since its vectors would have to be made anew.
    """
    standing = _find(conn, tenant_id, name)
    if standing is None and _create(conn, tenant_id, name, wish, settings):
        return get(conn, tenant_id, name), True
    standing = standing or get(conn, tenant_id, name)
    _refuse_new_generation(standing, wish)
    if wish.max_tokens is not None or wish.overlap_tokens is not None:
        max_tokens = standing.max_tokens if wish.max_tokens is None else wish.max_tokens
        overlap = standing.overlap_tokens if wish.overlap_tokens is None else wish.overlap_tokens
        _check_chunking(max_tokens, overlap)
        conn.execute(SQL.update_chunking, {"id": standing.id, "max_tokens": max_tokens, "overlap_tokens": overlap})
    return get(conn, tenant_id, name), False


def get(conn: Connection, tenant_id: UUID, name: str) -> Collection:
    """Raises: NotFound, for another tenant's too."""
    collection = _find(conn, tenant_id, name)
    if collection is None:
        raise NotFound(f"there is no collection {name!r}: make it with PUT /v1/collections/{name}")
    return collection


def by_id(conn: Connection, collection_id: int) -> Collection | None:
    """The collection of a job; None where it has been deleted."""
    with conn.cursor(row_factory=class_row(Collection)) as cursor:
        return cursor.execute(SQL.select_collection, {"id": collection_id}).fetchone()


def page(conn: Connection, tenant_id: UUID, after: str | None, limit: int) -> list[Collection]:
    """Collections whose name sorts behind `after`, by name."""
    with conn.cursor(row_factory=class_row(Collection)) as cursor:
        return cursor.execute(
            SQL.select_collections, {"tenant_id": tenant_id, "name": None, "after": after, "limit": limit}
        ).fetchall()


def count_version(conn: Connection, collection_ids: Iterable[int]) -> None:
    """Makes answers that were kept unreachable: what searches of these collections see has changed.

    Call it last in a transaction, so that nobody who holds these rows waits for others.
    """
    conn.execute(SQL.count_version, {"ids": list(collection_ids)})


def delete(conn: Connection, tenant_id: UUID, name: str) -> None:
    """Hides the collection at once and cancels its jobs; its rows are removed in the background."""
    collection = get(conn, tenant_id, name)
    conn.execute(SQL.delete_collection, {"id": collection.id})
    settle.cancel_collection(conn, collection.id)


def _find(conn: Connection, tenant_id: UUID, name: str) -> Collection | None:
    with conn.cursor(row_factory=class_row(Collection)) as cursor:
        return cursor.execute(
            SQL.select_collections, {"tenant_id": tenant_id, "name": name, "after": None, "limit": 1}
        ).fetchone()


def _create(conn: Connection, tenant_id: UUID, name: str, wish: CollectionWish, settings: Settings) -> bool:
    model = wish.model or settings.default_model
    storage = wish.storage or Storage.HALFVEC
    dimensions = _dimensions(model, wish.dimensions, storage, settings)
    max_tokens = wish.max_tokens or settings.max_tokens
    overlap = min(settings.overlap_tokens, max_tokens // 4) if wish.overlap_tokens is None else wish.overlap_tokens
    _check_chunking(max_tokens, overlap)
    row = conn.execute(
        SQL.insert_collection,
        {"tenant_id": tenant_id, "name": name, "max_tokens": max_tokens, "overlap_tokens": overlap},
    ).fetchone()
    if row is None:  # somebody else made it between our look and our insert
        return False
    conn.execute(
        SQL.insert_generation,
        {
            "tenant_id": tenant_id,
            "collection_id": row[0],
            "model": model,
            "dimensions": dimensions,
            "storage": storage,
            "m": wish.m or DEFAULT_M,
            "ef_construction": wish.ef_construction or DEFAULT_EF_CONSTRUCTION,
            "status": GenerationStatus.SERVING,
        },
    )
    return True


def _dimensions(model: str, wished: int | None, storage: Storage, settings: Settings) -> int:
    known = settings.models.get(model)
    if known is None and wished is None:
        raise _invalid(
            "/dimensions", f"the model {model!r} is not known here: give its dimensions, or describe it in DBRAG_MODELS"
        )
    dimensions = wished or (known.dimensions if known else 0)
    if known and (dimensions > known.dimensions or (dimensions < known.dimensions and not known.shortens)):
        allowed = f"at most {known.dimensions}" if known.shortens else f"{known.dimensions} and no others"
        raise _invalid("/dimensions", f"{model} has {allowed} dimensions, not {dimensions}")
    if not 1 <= dimensions <= storage.max_dimensions:
        raise _invalid(
            "/dimensions", f"an index over {storage} takes 1 to {storage.max_dimensions} dimensions, not {dimensions}"
        )
    return dimensions


def _check_chunking(max_tokens: int, overlap_tokens: int) -> None:
    if overlap_tokens >= max_tokens:
        raise _invalid(
            "/chunking/overlap_tokens", f"must be smaller than max_tokens, and {overlap_tokens} >= {max_tokens}"
        )


def _refuse_new_generation(standing: Collection, wish: CollectionWish) -> None:
    for name in ("model", "dimensions", "storage"):
        wished, has = getattr(wish, name), getattr(standing, name)
        if wished is not None and wished != has:
            raise NotAvailable(
                f"the collection stands with {name} {has}: changing it is not available in this release; "
                "make another collection and ingest into that",
                faults=(Fault(f"/{name}", f"must be {has}, or left out"),),
            )


def _invalid(pointer: str, detail: str) -> Invalid:
    return Invalid(detail, faults=(Fault(pointer, detail),))
