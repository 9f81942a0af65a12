"""The work of `update_metadata_catalog`: finds a database's tables and takes what changed through to embedding."""

from contextlib import nullcontext
from uuid import UUID

from dbrag.accounts import budgets
from dbrag.catalog import block, entries, overrides, plan
from dbrag.catalog.secrets import Vault
from dbrag.catalog.slice import Slice
from dbrag.catalog.source import Source, open_source
from dbrag.documents import poison
from dbrag.documents.attempt import attempt, begin, hand_back, report
from dbrag.embedding.failures import RateLimited
from dbrag.jobs import claims
from dbrag.runtime import Runtime

# Tables that are stored in one transaction, for each thread that asks the chat model.
TABLES_OF_A_THREAD = 4
# Tables that are read at once: each of the five statements has DBRAG_SOURCE_TIMEOUT_S (500 tables take 0.1 s in all).
PAGE = 2000
# How long a job waits for the chat model's limits, and for its account or key, unless the provider says; in seconds.
PAUSE_S, LONG_PAUSE_S = 10.0, 60.0


def update(runtime: Runtime, job_id: UUID) -> dict[str, object]:
    """Works on the job until all is described or the slice of time is over; does nothing where it is not to be claimed.

    Returns how the job stands. Raises: AttemptFailed.
    """
    claim = begin(runtime, job_id)
    if claim is None:
        return {"claimed": False}
    with attempt(runtime, claim):
        try:
            _work(Slice.of(runtime, claim))
        except block.WAITED_FOR as exc:
            pause_s = PAUSE_S if isinstance(exc, RateLimited) else LONG_PAUSE_S
            with runtime.pool.connection() as conn:
                claims.put_off(conn, claim, exc.code, exc.detail, exc.retry_after_s or pause_s)
    return report(runtime, claim)


def _work(slice_: Slice) -> None:
    """Raises: ClaimLost; DbragError with what the database or the chat model fails with."""
    runtime, claim = slice_.runtime, slice_.claim
    with open_source(Vault(runtime.settings).decrypt(slice_.connection.dsn), runtime.settings) as source:
        if not claim.params.get("planned") and not _plan(slice_, source):
            return
        while _describe_some(slice_, source):
            if slice_.is_over():  # asked after the work: a slice that is used up by connecting must not do nothing
                break
        else:
            with runtime.pool.connection() as conn:
                claims.release(conn, claim)
            return
    hand_back(runtime, claim)


def _plan(slice_: Slice, source: Source) -> bool:
    """Finds out what there is to do; False where that is nothing, and the job has ended.

    Whatever the job's part of the database is, tables that are nowhere any more are dropped from the catalog.
    """
    claim, connection, collection = slice_.claim, slice_.connection, slice_.collection
    listed = {one.oid: (one.schema, one.name) for one in source.listed()}
    wanted = plan.in_scope(listed, claim.params.get("schema"), claim.params.get("table"))
    pages = [wanted[start : start + PAGE] for start in range(0, len(wanted), PAGE)]
    found = [plan.Found(table, slice_.fingerprint(table)) for page in pages for table in source.tables(page)]
    with slice_.runtime.pool.connection() as conn:
        dropped = plan.drop_gone(conn, claim, connection, collection, listed)
    with slice_.runtime.pool.connection() as conn:
        overrides.follow(conn, connection, listed)
        known, said = plan.known_tables(conn, connection), overrides.of(conn, connection)
        decided = plan.decide(found, known, said, force=bool(claim.params.get("force")))
        plan.write(conn, claim, connection, collection, decided, dropped)
    if slice_.runtime.entries:
        changed = [table.full_name for table in [*decided.due, *decided.counted]]
        slice_.runtime.entries.drop(connection.id, changed)
    return bool(decided.due)


def _describe_some(slice_: Slice, source: Source) -> bool:
    """Takes the next tables through to the pending table; False where there are none left.

    One by one where one of them may kill this process. Raises: BudgetSpent.
    """
    runtime, claim = slice_.runtime, slice_.claim
    with runtime.pool.connection() as conn:
        work = entries.next_tables(conn, claim, TABLES_OF_A_THREAD * runtime.settings.chat_threads)
        if work and runtime.chat:
            budgets.check(conn, claim.tenant_id)
    if claim.isolates:
        for one in work:
            trial = poison.trial(runtime, claim, one.source) if one.source.tries < poison.TRIES else nullcontext()
            with trial:
                block.take(slice_, source, [one])
            if slice_.is_over():
                break
    elif work:
        block.take(slice_, source, work)
    return bool(work)
