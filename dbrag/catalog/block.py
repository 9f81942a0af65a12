"""Some tables of an update: read one after the other, described side by side, stored in one transaction."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

from dbrag.accounts.budgets import BudgetSpent
from dbrag.catalog import entries, overrides
from dbrag.catalog.describe import describe
from dbrag.catalog.entries import Draft, Earlier, Work
from dbrag.catalog.model import Described, Row, Table
from dbrag.catalog.slice import Slice
from dbrag.catalog.source import Source
from dbrag.catalog.wording import embedded_text
from dbrag.documents import blocks, poison, prepare, versions
from dbrag.embedding.failures import KeyRefused, OutOfQuota, RateLimited
from dbrag.errors import Permanent, Transient

# What concerns every table, and passes: the job waits for it.
WAITED_FOR = (RateLimited, OutOfQuota, KeyRefused, BudgetSpent)
# How long the descriptions of a block may take, repairs included, as a share of a lease.
DESCRIBING = 0.35
GONE = Permanent("the database has no such table any more", code="table_gone")


class _NotBegun(Exception):
    """The table is left to the next block."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A table that is being described, or was; its samples were."""

    work: Work
    table: Table
    fingerprint: bytes
    samples: list[Row]
    described: "Future[Described] | Described"

    def outcome(self) -> Described:
        """Waits for it. Raises what the description failed with."""
        return self.described if isinstance(self.described, Described) else self.described.result()


@dataclass(slots=True)
class Read:
    """What came of reading: `failures` by version id; `broken` where the database, or the time, was gone first."""

    begun: list[Begun] = field(default_factory=list[Begun])
    failures: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    broken: Transient | None = None


def take(slice_: Slice, source: Source, work: Sequence[Work]) -> None:
    """Describes tables, as many as there is time for, and puts their texts on the pending table.

    Raises: one of WAITED_FOR, or Transient where the database is gone, once all else is stored; ClaimLost.
    """
    until = monotonic() + DESCRIBING * slice_.runtime.settings.lease_s
    with ThreadPoolExecutor(slice_.runtime.settings.chat_threads, "describe") as threads:
        read = _read(slice_, source, work, threads, until)
    drafts: list[tuple[Work, Draft]] = []
    stopped = read.broken
    with slice_.runtime.pool.connection() as conn:
        said = overrides.of(conn, slice_.connection)
    for one in read.begun:
        try:
            described = one.outcome()
        except WAITED_FOR as exc:
            stopped = exc
            continue
        except _NotBegun:
            continue
        override = said.get(one.table.oid)
        version_id = one.work.source.version_id
        drafts.append((one.work, Draft(version_id, one.table, one.fingerprint, one.samples, described, override)))
    _store(slice_, drafts, read.failures)
    if stopped:
        raise stopped


def _read(slice_: Slice, source: Source, work: Sequence[Work], threads: ThreadPoolExecutor, until: float) -> Read:
    """Looks at the tables, and has each described in a thread as soon as it was read; all of them `until` then."""
    tables = {table.oid: table for table in source.tables([one.oid for one in work])}
    with slice_.runtime.pool.connection() as conn:
        earlier = entries.earlier(conn, [one.source.document_id for one in work])
    read = Read()
    for one in work:
        if read.begun and slice_.is_over():
            break
        try:
            read.begun.append(_begin(slice_, source, one, tables, earlier, threads, until))
        except Permanent as exc:
            read.failures[one.source.version_id] = {"code": exc.code, "detail": exc.detail}
        except Transient as exc:
            read.broken = exc
            break
    return read


def _begin(
    slice_: Slice,
    source: Source,
    work: Work,
    tables: Mapping[int, Table],
    earlier: Mapping[int, Earlier],
    threads: ThreadPoolExecutor,
    until: float,
) -> Begun:
    """What changed for nothing but its user's words keeps its description. Raises: Permanent, Transient."""
    if work.source.tries >= poison.TRIES:
        raise poison.POISON
    table = tables.get(work.oid)
    if table is None:
        raise GONE
    fingerprint, before = slice_.fingerprint(table), earlier.get(work.source.document_id)
    if before and before.stands_for(fingerprint) and not slice_.claim.params.get("force"):
        return Begun(work, table, fingerprint, before.samples, before.described)
    samples = source.sample(table, slice_.connection.sample_rows, slice_.connection.masking)
    return Begun(work, table, fingerprint, samples, threads.submit(_describe, slice_, table, samples, until))


def _describe(slice_: Slice, table: Table, samples: list[Row], until: float) -> Described:
    """In a thread, which may come late. Raises: _NotBegun where the time left is short; what `describe` raises."""
    left_s, whole_s = until - monotonic(), DESCRIBING * slice_.runtime.settings.lease_s
    if left_s < whole_s / 2:
        raise _NotBegun
    return describe(slice_.runtime, slice_.claim.tenant_id, slice_.claim.id, table, samples, left_s)


def _store(slice_: Slice, drafts: Sequence[tuple[Work, Draft]], failures: Mapping[int, dict[str, Any]]) -> None:
    runtime, claim = slice_.runtime, slice_.claim
    prepared: list[prepare.Prepared] = []
    failures = dict(failures)
    for work, draft in drafts:
        try:
            prepared.append(_prepared(slice_, work, draft))
        except Permanent as exc:  # more than the embedding model takes
            failures[draft.version_id] = {"code": exc.code, "detail": exc.detail}
    version_ids = [*(draft.version_id for _, draft in drafts), *failures]
    with runtime.pool.connection() as conn:
        versions.lock(conn, version_ids)
        still = versions.waiting(conn, version_ids)
        entries.insert(
            conn, slice_.connection, [draft for _, draft in drafts if draft.version_id in still - failures.keys()]
        )
        waits = blocks.store(conn, claim, slice_.collection, prepared, failures, runtime.settings)
    if waits:
        runtime.wake(claim.queue)


def _prepared(slice_: Slice, work: Work, draft: Draft) -> prepare.Prepared:
    """The table as a document of one chunk."""
    most_tokens = slice_.runtime.settings.model_max_tokens(slice_.collection.model)
    text = embedded_text(draft.table, draft.description, most_tokens)
    source = work.source._replace(text=text, title=draft.table.full_name)
    whole = prepare.whole_texts(most_tokens)
    return replace(prepare.prepare(source, slice_.runtime.extractor, whole), extracted=True)
