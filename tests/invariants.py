"""What holds whenever nobody has anything to do: nothing is lost, stuck or doubled, nothing is left over."""

from typing import Any, LiteralString

import numpy as np
import psycopg
from psycopg import sql

from tests.provider.vectors import vector_of

BUSY: LiteralString = "SELECT FROM pending UNION ALL SELECT FROM jobs WHERE finished_at IS NULL LIMIT 1"
FINAL: LiteralString = "('succeeded', 'completed_with_errors', 'failed', 'cancelled')"
# Each of these must find nothing.
JOBS: dict[str, LiteralString] = {
    "a job has not ended": "SELECT id, status, reason_code FROM jobs WHERE finished_at IS NULL",
    "a job ended without all its items": "SELECT id FROM jobs WHERE completed + failed + skipped + cancelled <> total",
    "a job's counts are not those of its items": """
        SELECT j.id FROM jobs j WHERE j.kind <> 'rebuild_index' AND (completed, failed, skipped, cancelled) <> (
           SELECT count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'),
                  count(*) FILTER (WHERE status = 'skipped'), count(*) FILTER (WHERE status = 'cancelled')
           FROM job_items WHERE job_id = j.id)""",
    "a job has not exactly one final event for each of its runs": f"""
        SELECT e.job_id FROM job_events e WHERE e.status IN {FINAL}
        GROUP BY e.job_id HAVING count(*) <> 1 + (
           SELECT count(*) FROM job_events q WHERE q.job_id = e.job_id AND q.status = 'queued'
           AND (SELECT p.status FROM job_events p WHERE p.job_id = q.job_id AND p.id < q.id ORDER BY p.id DESC LIMIT 1)
               IN {FINAL})""",
    "a job ended without an event": """
        SELECT j.id FROM jobs j WHERE j.status IS DISTINCT FROM (
           SELECT e.status FROM job_events e WHERE e.job_id = j.id ORDER BY e.id DESC LIMIT 1)""",
    "a lease is held": "SELECT id FROM jobs WHERE lease_until IS NOT NULL",
    "a job that is over is published": "SELECT id FROM jobs WHERE finished_at IS NOT NULL AND publish_at IS NOT NULL",
    "a model is paused, and not for as long as the provider said": """
        SELECT model, reason_code FROM pauses WHERE paused_until > now() AND reason_code <> 'rate_limited'""",
    "what was spent is not what usage says": """
        SELECT tenant_id, day, s.cost_usd, u.cost_usd FROM spend s FULL JOIN (
           SELECT tenant_id, (at AT TIME ZONE 'UTC')::date AS day, sum(cost_usd) AS cost_usd FROM usage
           WHERE cost_usd > 0 GROUP BY 1, 2) u USING (tenant_id, day)
        WHERE s.cost_usd IS DISTINCT FROM u.cost_usd""",
    "a text is pending": "SELECT chunk_id, job_id FROM pending",
}
STORED: dict[str, LiteralString] = {
    "a version waits": "SELECT id FROM document_versions WHERE status = 'waiting'",
    "a version outlived a newer one that went live": """
        SELECT o.id FROM document_versions v JOIN document_versions o ON o.document_id = v.document_id
        WHERE v.status = 'live' AND o.version < v.version""",
    "a live version has no chunk": """
        SELECT v.id FROM document_versions v WHERE status = 'live'
        AND NOT EXISTS (SELECT FROM chunks WHERE version_id = v.id)""",
    "a live chunk is taken over from another version": """
        SELECT id FROM chunks WHERE kept_chunk_id IS NOT NULL
        AND version_id IN (SELECT id FROM document_versions WHERE status = 'live')""",
    "a chunk of no version": """
        SELECT id FROM chunks c WHERE NOT EXISTS (SELECT FROM document_versions WHERE id = c.version_id)""",
    "a file of no version": """
        SELECT version_id FROM blobs b WHERE NOT EXISTS (SELECT FROM document_versions WHERE id = b.version_id)""",
    "a document without a version": """
        SELECT d.id FROM documents d WHERE NOT EXISTS (SELECT FROM document_versions WHERE document_id = d.id)""",
    "a chunk is there twice": "SELECT version_id, position FROM chunks GROUP BY 1, 2 HAVING count(*) > 1",
    "a segment has no table": """
        SELECT id FROM segments WHERE to_regclass(format('generation_%s_segment_%s', generation_id, id)) IS NULL""",
    "a merge left a segment unfinished": "SELECT id FROM segments WHERE status = 'building'",
    "a table is no segment's": """
        SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^generation_[0-9]+_segment_[0-9]+$'
        AND relname NOT IN (SELECT format('generation_%s_segment_%s', generation_id, id) FROM segments)""",
}
# Of one generation: its chunks are the text, in order, without a hole; only white space may be in no chunk.
LIVE: LiteralString = """
    SELECT c.*, v.text AS whole, v.job_id FROM generations g JOIN chunks c ON c.collection_id = g.collection_id
    JOIN document_versions v ON v.id = c.version_id AND v.status = 'live' WHERE g.id = {id}"""
CHUNKS: dict[str, LiteralString] = {
    "a live document's chunks are not numbered 0, 1, 2, …": f"""
        SELECT version_id FROM ({LIVE}) l GROUP BY 1 HAVING min(position) <> 0 OR max(position) <> count(*) - 1""",
    "a chunk is not its document's text": f"""
        SELECT id FROM ({LIVE}) l WHERE text <> substr(whole, start_offset + 1, end_offset - start_offset)
        OR hash <> sha256(convert_to(text, 'UTF8'))""",
    "text is in no chunk": f"""
        SELECT version_id FROM (
            SELECT version_id, whole, start_offset, end_offset, job_id,
                   lag(end_offset, 1, 0) OVER (PARTITION BY version_id ORDER BY position) AS before,
                   lead(start_offset, 1, length(whole)) OVER (PARTITION BY version_id ORDER BY position) AS after
            FROM ({LIVE}) l) s
        WHERE substr(whole, before + 1, greatest(start_offset - before, 0)) ~ '[^[:space:]]'
           OR substr(whole, end_offset + 1, greatest(after - end_offset, 0)) ~ '[^[:space:]]'""",
    "a live chunk has no vector, or two": f"""
        SELECT c.id FROM ({LIVE}) c WHERE (SELECT count(*) FROM {{vectors}} e WHERE e.chunk_id = c.id) <> 1""",
    "a vector belongs to no chunk": """
        SELECT chunk_id FROM {vectors} e WHERE NOT EXISTS (SELECT FROM chunks WHERE id = e.chunk_id)""",
}


def check(conn: psycopg.Connection[Any], since: int) -> None:
    """Fails with the sentence that does not hold; see `Platform.check`."""
    for sentence, question in (JOBS | STORED).items():
        found = conn.execute(question).fetchmany(5)
        assert not found, f"{sentence}: {found}"
    generations = "SELECT id, dimensions FROM generations WHERE status = 'serving' AND id > %s ORDER BY id"
    for generation_id, dimensions in conn.execute(generations, [since]).fetchall():
        if conn.execute("SELECT to_regclass(%s)", [f"generation_{generation_id}"]).fetchone() == (None,):
            lost = conn.execute(sql.SQL("SELECT count(*) FROM ({}) l").format(sql.SQL(LIVE).format(id=generation_id)))
            assert lost.fetchone() == (0,), f"generation {generation_id} has no table for its chunks"
        else:
            _check_generation(conn, generation_id, dimensions)


def _check_generation(conn: psycopg.Connection[Any], generation_id: int, dimensions: int) -> None:
    # What merges replaced may still be there.
    searched = "SELECT id FROM segments WHERE status IN ('fresh', 'sealed', 'indexed')"
    vectors = sql.SQL(f"(SELECT * FROM {{}} WHERE segment_id IN ({searched}))").format(
        sql.Identifier(f"generation_{generation_id}")
    )
    for sentence, question in CHUNKS.items():
        found = conn.execute(sql.SQL(question).format(id=generation_id, vectors=vectors)).fetchmany(5)
        assert not found, f"{sentence} (generation {generation_id}): {found}"
    rows = sql.SQL("SELECT c.text, e.embedding::text FROM {} e JOIN chunks c ON c.id = e.chunk_id").format(vectors)
    for text, embedding in conn.execute(rows):
        stored = np.fromstring(embedding[1:-1], sep=",")
        assert np.allclose(stored, vector_of(text, dimensions), atol=1e-3), f"not the vector of {text!r}"
