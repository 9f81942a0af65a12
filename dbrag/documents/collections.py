"""Collections: made, changed where that is possible, found, deleted."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from dbrag.database.pool import Connection
from dbrag.database.queries import beside
from dbrag.documents.model import LANGUAGES, NO_LANGUAGE, Collection, CollectionWish, Storage
from dbrag.errors import Conflict, Fault, Invalid, NotFound
from dbrag.jobs import settle
from dbrag.jobs.model import Job
from dbrag.settings import Settings
from dbrag.vectors import estimate as estimates
from dbrag.vectors import generations, replacement
from dbrag.vectors.estimate import NOTHING, Estimate
from dbrag.vectors.model import GenerationStatus, Target

SQL = beside(__file__)
# pgvector's own.
DEFAULT_M, DEFAULT_EF_CONSTRUCTION = 16, 64


class Put(NamedTuple):
    """The collection as it stands, whether it was made, and the job that makes its vectors anew, if one does."""

    collection: Collection
    created: bool
    job: Job | None


def put(conn: Connection, tenant_id: UUID, name: str, wish: CollectionWish, settings: Settings) -> Put:
    """Makes the collection, or brings the standing one to what is wished.

    Where its vectors must be made anew for that, a job does it while the collection serves as it is. Raises: Invalid
    for settings that there cannot be; Conflict for another language, and while the collection is on its way to other
    settings.
    """
    standing = _find(conn, tenant_id, name)
    if standing is None and _create(conn, tenant_id, name, wish, settings):
        return Put(get(conn, tenant_id, name), created=True, job=None)
    standing = standing or get(conn, tenant_id, name)
    if wish.language not in (None, standing.language):
        raise Conflict(
            f"the language of {name!r} is {standing.language!r} and stays, since its words are kept in it: "
            "make a new collection for another one"
        )
    if wish.max_tokens is not None or wish.overlap_tokens is not None:
        max_tokens = standing.max_tokens if wish.max_tokens is None else wish.max_tokens
        overlap = standing.overlap_tokens if wish.overlap_tokens is None else wish.overlap_tokens
        _check_chunking(max_tokens, overlap)
        conn.execute(SQL.update_chunking, {"id": standing.id, "max_tokens": max_tokens, "overlap_tokens": overlap})
    job = replacement.begin(conn, tenant_id, standing.id, _target(wish, standing, settings), settings)
    return Put(get(conn, tenant_id, name), created=False, job=job)


def estimate(conn: Connection, tenant_id: UUID, name: str, wish: CollectionWish, settings: Settings) -> Estimate:
    """What the same `put` would cost; nothing is changed. Raises: Invalid."""
    standing = _find(conn, tenant_id, name)
    target = _target(wish, standing, settings)
    if standing is None:
        return NOTHING
    return estimates.estimate(conn, generations.of_collection(conn, standing.id), target, settings)


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


def pause(conn: Connection, tenant_id: UUID, name: str) -> Collection:
    """Has what is accepted for the collection wait, from the next claim on. Raises: NotFound."""
    conn.execute(SQL.pause_collection, {"id": get(conn, tenant_id, name).id})
    return get(conn, tenant_id, name)


def resume(conn: Connection, tenant_id: UUID, name: str) -> Collection:
    """Lets it go on; the relay publishes its jobs. Raises: NotFound."""
    conn.execute(SQL.resume_collection, {"id": get(conn, tenant_id, name).id})
    return get(conn, tenant_id, name)


def count_version(conn: Connection, collection_ids: Iterable[int]) -> None:
    """Makes answers that were kept unreachable: what searches of these collections see has changed.

    Call it last in a transaction, so that nobody who holds these rows waits for others.
    """
    conn.execute(SQL.count_version, {"ids": list(collection_ids)})


def delete(conn: Connection, tenant_id: UUID, name: str) -> None:
    """Hides the collection at once and cancels its jobs; its rows are removed in the background."""
    collection = get(conn, tenant_id, name)
    settle.cancel_collection(conn, collection.id)
    conn.execute(SQL.delete_collection, {"id": collection.id})


def _find(conn: Connection, tenant_id: UUID, name: str) -> Collection | None:
    with conn.cursor(row_factory=class_row(Collection)) as cursor:
        return cursor.execute(
            SQL.select_collections, {"tenant_id": tenant_id, "name": name, "after": None, "limit": 1}
        ).fetchone()


def _create(conn: Connection, tenant_id: UUID, name: str, wish: CollectionWish, settings: Settings) -> bool:
    target = _target(wish, None, settings)
    max_tokens = wish.max_tokens or settings.max_tokens
    overlap = min(settings.overlap_tokens, max_tokens // 4) if wish.overlap_tokens is None else wish.overlap_tokens
    _check_chunking(max_tokens, overlap)
    made = {"tenant_id": tenant_id, "name": name, "max_tokens": max_tokens, "overlap_tokens": overlap}
    row = conn.execute(SQL.insert_collection, made | {"language": _language(wish, settings)}).fetchone()
    if row is None:  # somebody else made it between our look and our insert
        return False
    generations.insert(conn, tenant_id, row[0], target, GenerationStatus.SERVING)
    return True


def _target(wish: CollectionWish, standing: Collection | None, settings: Settings) -> Target:
    """What is wished, and for the rest what stands, or the defaults. Raises: Invalid for what there cannot be."""
    model = wish.model or (standing.model if standing else settings.default_model)
    storage = wish.storage or (standing.storage if standing else Storage.HALFVEC)
    m = wish.m or (standing.m if standing else DEFAULT_M)
    ef_construction = wish.ef_construction or (standing.ef_construction if standing else DEFAULT_EF_CONSTRUCTION)
    if ef_construction < 2 * m:
        raise _invalid("/ef_construction", f"pgvector wants at least 2 × m, which is {2 * m}, not {ef_construction}")
    same_model = standing is not None and model == standing.model
    wished = wish.dimensions or (standing.dimensions if standing and same_model else None)
    return Target(model, _dimensions(model, wished, storage, settings), storage, m, ef_construction)


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


def _language(wish: CollectionWish, settings: Settings) -> str:
    language = wish.language or settings.language
    if language not in (NO_LANGUAGE, *LANGUAGES):
        raise _invalid("/language", f"must be `none` or one of {', '.join(LANGUAGES)}")
    return language


def _check_chunking(max_tokens: int, overlap_tokens: int) -> None:
    if overlap_tokens >= max_tokens:
        raise _invalid(
            "/chunking/overlap_tokens", f"must be smaller than max_tokens, and {overlap_tokens} >= {max_tokens}"
        )


def _invalid(pointer: str, detail: str) -> Invalid:
    return Invalid(detail, faults=(Fault(pointer, detail),))
