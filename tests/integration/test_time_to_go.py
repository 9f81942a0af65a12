"""The time to go of a job: unknown, then less and less, then nothing; what it waits does not count."""

from dbrag.database.pool import Connection
from dbrag.documents import endings
from dbrag.documents.accept import accept
from dbrag.documents.model import Collection, Submission
from dbrag.errors import Permanent
from dbrag.jobs import claims, jobs
from dbrag.jobs.model import Job, Kind, Queue
from dbrag.jobs.progress import progress
from dbrag.settings import Settings


def test_the_time_to_go_falls_while_a_job_is_at_work(
    conn: Connection, own_collection: Collection, settings: Settings
) -> None:
    """Four documents, of ten texts each, that take ten seconds each, in a job that is held for an hour meanwhile."""
    items = [Submission(name, text=f"Text of {name}.") for name in "abcd"]
    with conn.transaction():
        job_id = accept(conn, own_collection, Kind.INGEST_DOCUMENT, Queue.DEFAULT, items).id

    def job() -> Job:
        return jobs.get(conn, own_collection.tenant_id, job_id)

    def eta_s() -> float | None:
        seconds = progress(job()).eta_seconds
        return None if seconds is None else round(seconds)

    def pass_by(seconds: float) -> None:
        conn.execute(
            "UPDATE job_events SET at = at - make_interval(secs => %s) WHERE job_id = %s", [float(seconds), job_id]
        )

    def turn(status: str, reason: str | None) -> None:
        conn.execute("UPDATE jobs SET status = %s, reason_code = %s WHERE id = %s", [status, reason, job_id])

    pass_by(60)
    assert eta_s() is None
    claim = claims.take(conn, job_id, settings)
    assert claim
    pass_by(5)
    assert eta_s() is None
    pass_by(5)
    seen = list[float | None]()
    for _ in range(2):
        claims.renew(conn, claim, settings, prepared=1, chunks=10, chunks_done=10)
        seen.append(eta_s())
        pass_by(10)
    claims.release(conn, claim)
    turn("held", "rate_limited")
    pass_by(3600)
    assert eta_s() is None
    turn("running", None)
    conn.execute(
        "UPDATE jobs SET prepared = 3, chunks_total = 30, chunks_done = 30 WHERE id = %s",
        [job_id],
    )
    seen.append(eta_s())
    conn.execute("UPDATE jobs SET prepared = 4, chunks_total = 40, chunks_done = 36 WHERE id = %s", [job_id])
    seen.append(eta_s())
    assert seen == [30, 20, 10, 3]
    endings.fail(conn, job_id, Permanent("told to"))
    assert eta_s() == 0
