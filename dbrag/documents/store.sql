-- name: insert_collection
-- A name is taken while its collection is not deleted.
INSERT INTO collections (tenant_id, name, max_tokens, overlap_tokens, language)
VALUES (%(tenant_id)s, %(name)s, %(max_tokens)s, %(overlap_tokens)s, %(language)s)
ON CONFLICT (tenant_id, name) WHERE deleted_at IS NULL DO NOTHING RETURNING id

-- name: select_collections
-- By name behind `after`; one name, or all but those that are dbrag's own (dbrag/catalog/home.py).
SELECT c.id, c.tenant_id, c.name, g.model, g.dimensions, g.storage, g.m, g.ef_construction, c.max_tokens,
       c.overlap_tokens, c.language, g.id AS generation_id, c.version, c.created_at, c.paused_at, (
           SELECT jsonb_build_object('model', b.model, 'dimensions', b.dimensions, 'storage', b.storage, 'm', b.m,
                                     'ef_construction', b.ef_construction, 'job_id', j.id)
           FROM generations b JOIN jobs j ON j.generation_id = b.id
           WHERE b.collection_id = c.id AND b.status IN ('building', 'catching_up') AND j.kind = 'rebuild_index'
             AND j.finished_at IS NULL AND j.params @> '{"fill": true}'
       ) AS building
FROM collections c JOIN generations g ON g.collection_id = c.id AND g.status = 'serving'
WHERE c.tenant_id = %(tenant_id)s AND c.deleted_at IS NULL
  AND (c.name = %(name)s OR %(name)s::text IS NULL AND c.name NOT LIKE '.%%') AND c.name > coalesce(%(after)s, '')
ORDER BY c.name LIMIT %(limit)s

-- name: select_collection
-- By id, for workers, who do not ask what is being built; None where it has been deleted.
SELECT c.id, c.tenant_id, c.name, g.model, g.dimensions, g.storage, g.m, g.ef_construction, c.max_tokens,
       c.overlap_tokens, c.language, g.id AS generation_id, c.version, c.created_at, c.paused_at
FROM collections c JOIN generations g ON g.collection_id = c.id AND g.status = 'serving'
WHERE c.id = %(id)s AND c.deleted_at IS NULL

-- name: update_chunking
-- Holds for what is ingested from now on.
UPDATE collections SET max_tokens = %(max_tokens)s, overlap_tokens = %(overlap_tokens)s, chunked_at = now()
WHERE id = %(id)s AND (max_tokens, overlap_tokens) <> (%(max_tokens)s, %(overlap_tokens)s)

-- name: pause_collection
-- Whoever claims jobs or texts leaves those of this collection alone from now on.
UPDATE collections SET paused_at = now() WHERE id = %(id)s AND deleted_at IS NULL AND paused_at IS NULL

-- name: resume_collection
-- They may be claimed again; the relay sees to those that have no message any more.
UPDATE collections SET paused_at = NULL WHERE id = %(id)s AND paused_at IS NOT NULL

-- name: delete_collection
-- Gives the name free and hides all; dbrag/documents/purge.py removes the rows. It is paused no more: a job that is
-- accepted at this very moment must find out.
UPDATE collections SET deleted_at = now(), paused_at = NULL WHERE id = %(id)s AND deleted_at IS NULL

-- name: upsert_documents
-- The order of versions is the order in which this takes the rows' locks, which is the order of acceptance.
INSERT INTO documents (tenant_id, collection_id, external_id)
SELECT %(tenant_id)s, %(collection_id)s, external_id
FROM unnest(%(external_ids)s::text[]) AS external_id ORDER BY external_id COLLATE "C"
ON CONFLICT (collection_id, external_id) DO UPDATE SET last_version = documents.last_version + 1
RETURNING external_id, id, last_version

-- name: standing_documents
-- Which of these documents are live, or on their way to it.
SELECT external_id FROM documents d WHERE collection_id = %(collection_id)s AND external_id = ANY(%(external_ids)s)
  AND EXISTS (SELECT FROM document_versions v WHERE v.document_id = d.id AND v.status IN ('live', 'waiting'))

-- name: insert_versions
-- What was submitted, as new versions of their documents.
INSERT INTO document_versions (tenant_id, document_id, version, job_id, item_index, title, metadata, text, content_hash)
SELECT %(tenant_id)s, s.document_id, s.version, %(job_id)s, s.item_index, s.title, s.metadata::jsonb, s.text, s.hash
FROM unnest(%(document_ids)s::bigint[], %(versions)s::int[], %(indexes)s::int[], %(titles)s::text[],
            %(metadata)s::text[], %(texts)s::text[], %(hashes)s::bytea[])
     AS s (document_id, version, item_index, title, metadata, text, hash)
RETURNING item_index, id

-- name: insert_blob
-- A file's bytes, until its document is replaced or deleted.
INSERT INTO blobs (version_id, tenant_id, media_type, filename, content)
VALUES (%(version_id)s, %(tenant_id)s, %(media_type)s, %(filename)s, %(content)s)

-- name: select_document
-- The live version of a document, else its newest.
SELECT d.external_id, CASE v.status WHEN 'waiting' THEN 'processing' ELSE v.status END AS status, v.version, v.title,
       v.metadata, v.text, (SELECT count(*) FROM chunks WHERE version_id = v.id) AS chunks, v.job_id, d.created_at,
       coalesce(v.live_at, d.created_at) AS updated_at
FROM documents d JOIN document_versions v ON v.document_id = d.id
WHERE d.collection_id = %(collection_id)s AND d.external_id = %(external_id)s
ORDER BY v.status = 'live' DESC, v.version DESC LIMIT 1

-- name: lock_documents
-- Before documents are deleted, in the order that everybody keeps.
SELECT id FROM documents WHERE collection_id = %(collection_id)s AND external_id = ANY(%(external_ids)s)
ORDER BY external_id FOR UPDATE

-- name: versions_of_documents
-- All of them, with the items that wait for them.
SELECT id, job_id, item_index, status FROM document_versions WHERE document_id = ANY(%(document_ids)s)

-- name: delete_bare_documents
-- Documents that were accepted once, and never had a version that stayed.
DELETE FROM documents d WHERE id = ANY(%(ids)s)
  AND NOT EXISTS (SELECT FROM document_versions v WHERE v.document_id = d.id)

-- name: delete_documents
-- Their versions and blobs go with them; their chunks have gone before.
DELETE FROM documents WHERE id = ANY(%(ids)s)

-- name: unchanged_versions
-- Items that nobody has worked on yet, and whose live version is what was sent again: (version, live version). Asked
-- once without, and once under the documents' locks (`version_ids`).
SELECT n.id, o.id
FROM job_items i JOIN document_versions n ON n.job_id = i.job_id AND n.item_index = i.index
JOIN document_versions o ON o.document_id = n.document_id AND o.status = 'live' AND o.version < n.version
JOIN documents d ON d.id = n.document_id JOIN collections c ON c.id = d.collection_id
WHERE i.job_id = %(job_id)s AND i.status = 'queued' AND n.status = 'waiting' AND n.content_hash = o.content_hash
  AND o.created_at > c.chunked_at AND NOT EXISTS (SELECT FROM chunks k WHERE k.version_id = n.id)
  AND (%(version_ids)s::bigint[] IS NULL OR n.id = ANY(%(version_ids)s))
ORDER BY i.index LIMIT %(max_items)s

-- name: adopt
-- The live version takes over what is new about the one that was sent, which goes: its chunks are left alone.
WITH sent AS (
    DELETE FROM document_versions n USING unnest(%(sent_ids)s::bigint[], %(live_ids)s::bigint[]) AS p (sent_id, live_id)
    WHERE n.id = p.sent_id
    RETURNING p.live_id, n.version, n.job_id, n.item_index, n.metadata, n.created_at
)
UPDATE document_versions o SET version = s.version, job_id = s.job_id, item_index = s.item_index,
       metadata = s.metadata, created_at = s.created_at, live_at = now(), paid = false
FROM sent s WHERE o.id = s.live_id
RETURNING o.id, o.document_id, o.job_id, o.item_index, o.paid

-- name: next_block
-- Items of a job that nobody has split yet, as many as fit in `max_bytes` (one at least); first those that were tried
-- least, so that none waits behind one that kills its worker.
WITH candidates AS (
    SELECT v.id, i.tries, i.index, octet_length(v.text) AS text_bytes,
           (SELECT octet_length(content) FROM blobs b WHERE b.version_id = v.id) AS blob_bytes
    FROM job_items i JOIN document_versions v ON v.job_id = i.job_id AND v.item_index = i.index
    WHERE i.job_id = %(job_id)s AND i.status = 'queued' AND v.status = 'waiting'
    ORDER BY i.tries, i.index LIMIT %(max_items)s
), sized AS (
    SELECT id, tries, sum(coalesce(text_bytes, blob_bytes, 0)) OVER (ORDER BY tries, index) AS bytes_so_far,
           row_number() OVER (ORDER BY tries, index) AS place
    FROM candidates
)
SELECT v.id, v.document_id, v.item_index, v.text, v.title, b.media_type, b.filename, b.content, s.tries,
       d.external_id
FROM sized s JOIN document_versions v ON v.id = s.id JOIN documents d ON d.id = v.document_id LEFT JOIN blobs b ON b.version_id = v.id
WHERE s.place = 1 OR s.bytes_so_far <= %(max_bytes)s
ORDER BY s.place

-- name: begin_trial
-- Somebody begins with this item alone; committed before, so that it counts even if it kills the worker.
UPDATE job_items SET tries = tries + 1 WHERE job_id = %(job_id)s AND index = %(index)s AND status = 'queued'

-- name: annul_trial
-- It broke off for a reason that has nothing to do with the item.
UPDATE job_items SET tries = tries - 1
WHERE job_id = %(job_id)s AND index = %(index)s AND status = 'queued' AND tries > 0

-- name: lock_documents_of_chunks
-- The same for chunks, which may have moved to another version of their document since they were claimed.
SELECT id FROM documents WHERE id IN (
    SELECT v.document_id FROM chunks c JOIN document_versions v ON v.id = c.version_id WHERE c.id = ANY(%(chunk_ids)s))
ORDER BY collection_id, external_id FOR UPDATE

-- name: lock_documents_of_versions
-- Everybody who changes several documents locks them in this order, the order of upsert_documents.
SELECT id FROM documents WHERE id IN (SELECT document_id FROM document_versions WHERE id = ANY(%(version_ids)s))
ORDER BY collection_id, external_id FOR UPDATE

-- name: ready_versions
-- Which of these versions were split, and have every vector that a search may ask for, or soon may. Read under the
-- documents' locks: two transactions that each bring a part of a version must see each other's. A job that is being
-- cancelled completes nothing more: its other texts may have been dropped by whoever claimed them.
SELECT v.id, v.document_id, v.job_id, v.item_index, v.paid FROM document_versions v
WHERE v.id = ANY(%(version_ids)s) AND v.status = 'waiting'
  AND NOT EXISTS (SELECT FROM pending p JOIN generations g ON g.id = p.generation_id
                  WHERE p.version_id = v.id AND g.status IN ('serving', 'catching_up'))
  AND NOT EXISTS (SELECT FROM job_items i WHERE i.job_id = v.job_id AND i.index = v.item_index AND i.status = 'queued')
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = v.job_id AND j.status = 'cancelling')
ORDER BY v.document_id, v.version

-- name: waiting_versions
-- Which of these versions still wait. Read under the documents' locks.
SELECT id, job_id, item_index FROM document_versions WHERE id = ANY(%(version_ids)s) AND status = 'waiting'

-- name: split_versions
-- Which of these versions were split in an earlier attempt.
SELECT DISTINCT version_id FROM chunks WHERE version_id = ANY(%(version_ids)s)

-- name: mark_paid
-- Some of their texts were sent to the provider, and others still wait.
UPDATE document_versions SET paid = true WHERE id = ANY(%(version_ids)s) AND NOT paid

-- name: live_chunks
-- What the live versions of these documents consist of, so that unchanged chunks keep their vectors.
SELECT v.document_id, c.hash, c.id FROM document_versions v JOIN chunks c ON c.version_id = v.id
WHERE v.document_id = ANY(%(document_ids)s) AND v.status = 'live'
ORDER BY c.version_id, c.position

-- name: chunk_ids
-- Numbers for new chunks.
SELECT nextval(pg_get_serial_sequence('chunks', 'id')) FROM generate_series(1, %(n)s)

-- name: set_text
-- Extracted text, which the chunks' offsets count in.
UPDATE document_versions SET text = %(text)s, title = coalesce(title, %(title)s) WHERE id = %(id)s

-- name: mark_embedding
-- Split, and waiting for vectors.
UPDATE job_items SET status = 'embedding' WHERE job_id = %(job_id)s AND index = ANY(%(indexes)s) AND status = 'queued'

-- name: mark_failed
-- Kept for a retry, until a newer version of the document is live.
UPDATE document_versions SET status = 'failed' WHERE id = ANY(%(version_ids)s) AND status = 'waiting'

-- name: waiting_versions_of_job
-- What a job that ends early leaves behind.
SELECT id FROM document_versions WHERE job_id = %(job_id)s AND status = 'waiting'

-- name: dead_versions_of_job
-- What a cancelled job leaves behind: nobody can try its failed versions again.
SELECT id FROM document_versions WHERE job_id = %(job_id)s AND status <> 'live'

-- name: older_versions
-- What goes when these versions go live: the live ones before them, and whatever they overtake.
SELECT o.id, o.job_id, o.item_index, o.status
FROM document_versions v JOIN document_versions o ON o.document_id = v.document_id AND o.version < v.version
WHERE v.id = ANY(%(version_ids)s)

-- name: go_live
-- From the commit on, searches see these versions and no others of their documents.
UPDATE document_versions SET status = 'live', live_at = now(), paid = paid OR id = ANY(%(paid)s)
WHERE id = ANY(%(version_ids)s)

-- name: hand_over_chunks
-- Chunks of versions that go are taken over, vector and all, by the oldest version that keeps them; and so is what
-- they wait for in a generation that is being built.
WITH heirs AS (
    SELECT DISTINCT ON (h.kept_chunk_id) h.id, h.kept_chunk_id, h.version_id, h.position, h.start_offset, h.end_offset,
           h.page, h.headings
    FROM chunks gone JOIN chunks h ON h.kept_chunk_id = gone.id
    WHERE gone.version_id = ANY(%(version_ids)s) AND h.version_id <> ALL(%(version_ids)s)
    ORDER BY h.kept_chunk_id, h.version_id
), kept AS (
    UPDATE chunks c SET version_id = h.version_id, position = h.position, start_offset = h.start_offset,
           end_offset = h.end_offset, page = h.page, headings = h.headings
    FROM heirs h WHERE c.id = h.kept_chunk_id
), awaited AS (
    UPDATE pending p SET version_id = h.version_id FROM heirs h WHERE p.chunk_id = h.kept_chunk_id
)
DELETE FROM chunks c USING heirs h WHERE c.id = h.id

-- name: delete_chunks
-- The rest of them goes; its vectors go with the ids returned.
DELETE FROM chunks WHERE version_id = ANY(%(version_ids)s) RETURNING collection_id, id, kept_chunk_id IS NULL

-- name: delete_pending
-- Texts that nobody needs a vector of any more; who has claimed them finds them gone, and drops the vectors.
DELETE FROM pending WHERE version_id = ANY(%(version_ids)s)

-- name: delete_versions
DELETE FROM document_versions WHERE id = ANY(%(version_ids)s)

-- name: copy_chunks
COPY chunks (id, tenant_id, collection_id, version_id, position, start_offset, end_offset, tokens, hash, text,
             kept_chunk_id, language, page, headings)
FROM STDIN (FORMAT binary)

-- name: copy_pending
COPY pending (chunk_id, tenant_id, version_id, job_id, generation_id, model, dimensions, queue_rank, tokens, hash)
FROM STDIN (FORMAT binary)

-- name: next_deleted
-- A deleted collection whose jobs are all over; the row is locked against a second purge.
SELECT c.id FROM collections c
WHERE c.deleted_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.collection_id = c.id AND j.finished_at IS NULL)
ORDER BY c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED

-- name: documents_to_purge
SELECT id FROM documents WHERE collection_id = %(collection_id)s
ORDER BY collection_id, external_id LIMIT %(limit)s FOR UPDATE

-- name: delete_chunks_of_documents
DELETE FROM chunks WHERE version_id IN (SELECT id FROM document_versions WHERE document_id = ANY(%(ids)s))

-- name: delete_pending_of_documents
DELETE FROM pending WHERE version_id IN (SELECT id FROM document_versions WHERE document_id = ANY(%(ids)s))

-- name: drop_generation_table
DROP TABLE IF EXISTS {table}

-- name: count_version
-- What searches of these collections may have kept is out of date. The last statement of its transaction, so that
-- nobody who has locked such a row waits for anything else.
UPDATE collections SET version = version + 1 WHERE id IN (
    SELECT id FROM collections WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE)

-- name: delete_collection_row
-- Generations and segments go with it.
DELETE FROM collections WHERE id = %(id)s
