-- Every change of what searches may see counts the version up, so that kept answers of before are never found again.
ALTER TABLE collections ADD COLUMN version bigint NOT NULL DEFAULT 0;

-- Generations --------------------------------------------------------------------------------------------------------

-- building: being filled beside the serving one; catching_up: the same, and a document goes live only with its vectors
-- in both; serving: what searches see; kept: served before, can serve again; abandoned: to be dropped.
-- `since`: the transaction that gave it its status; when all older ones have ended, everybody knows. `refusal`: why the
-- building one cannot be completed.
ALTER TABLE generations
    ADD COLUMN status text NOT NULL DEFAULT 'serving'
        CHECK (status IN ('building', 'catching_up', 'serving', 'kept', 'abandoned')),
    ADD COLUMN since xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ADD COLUMN served_at timestamptz,
    ADD COLUMN kept_until timestamptz,
    ADD COLUMN refusal jsonb,
    ADD CHECK ((status = 'kept') = (kept_until IS NOT NULL));
ALTER TABLE generations ALTER COLUMN status DROP DEFAULT;
UPDATE generations SET served_at = created_at;
DROP INDEX generations_of_a_collection;
CREATE INDEX generations_of_a_collection ON generations (collection_id);
CREATE UNIQUE INDEX generations_one_serving ON generations (collection_id) WHERE status = 'serving';
CREATE UNIQUE INDEX generations_one_building ON generations (collection_id)
    WHERE status IN ('building', 'catching_up');

-- building: a merged segment that is being made, which no search sees yet; `replaces`: the ones it is made of.
-- rows: when it was sealed or built.
ALTER TABLE segments
    ADD COLUMN rows integer,
    ADD COLUMN retired_at timestamptz,
    ADD COLUMN replaces integer[],
    DROP CONSTRAINT segments_status_check,
    ADD CONSTRAINT segments_status_check
        CHECK (status IN ('fresh', 'sealed', 'indexed', 'building', 'retired')),
    ADD CHECK ((status = 'retired') = (retired_at IS NOT NULL)),
    ADD CHECK (status <> 'building' OR replaces IS NOT NULL);
-- Asked before every claim of texts: who has too many rows without an index.
CREATE INDEX segments_sealed ON segments (generation_id) INCLUDE (rows) WHERE status = 'sealed';

-- A document that is sent again unchanged is known by the hash of what was sent, if its live version was accepted after
-- the last change of the chunking. Its live version then takes over what is new; for that the unique key waits until
-- the end of a statement.
ALTER TABLE document_versions ADD COLUMN content_hash bytea CHECK (octet_length(content_hash) = 32);
ALTER TABLE collections ADD COLUMN chunked_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE document_versions
    DROP CONSTRAINT document_versions_document_id_version_key,
    ADD CONSTRAINT document_versions_document_id_version_key UNIQUE (document_id, version) DEFERRABLE;

-- When a version went live, in the same write; it was a second one, to its document, for each of them.
ALTER TABLE document_versions ADD COLUMN live_at timestamptz;
UPDATE document_versions v SET live_at = d.updated_at FROM documents d WHERE d.id = v.document_id AND v.status = 'live';
ALTER TABLE documents DROP COLUMN updated_at;
-- Whose tenant a row is, its parent says, too: checking that each time was a tenth of PostgreSQL's work for a document.
ALTER TABLE documents DROP CONSTRAINT documents_tenant_id_fkey;
ALTER TABLE document_versions DROP CONSTRAINT document_versions_tenant_id_fkey;
ALTER TABLE chunks DROP CONSTRAINT chunks_tenant_id_fkey;
ALTER TABLE job_items DROP CONSTRAINT job_items_tenant_id_fkey;
ALTER TABLE job_events DROP CONSTRAINT job_events_tenant_id_fkey;

-- A chunk has one vector in each generation of its collection.
ALTER TABLE chunks ADD COLUMN collection_id bigint;
UPDATE chunks c SET collection_id = g.collection_id FROM generations g WHERE g.id = c.generation_id;
ALTER TABLE chunks ALTER COLUMN collection_id SET NOT NULL, DROP COLUMN generation_id;
CREATE INDEX chunks_by_hash ON chunks (collection_id, hash, id);

-- Filters that keep little are answered from here: of 12,000 documents the few that match in 0.1 ms and not 5 ms.
CREATE INDEX document_versions_metadata ON document_versions USING gin (metadata jsonb_path_ops)
    WHERE status = 'live';

ALTER TABLE pending DROP CONSTRAINT pending_pkey, ADD PRIMARY KEY (chunk_id, generation_id);
CREATE INDEX pending_of_a_generation ON pending (generation_id);

-- Jobs ---------------------------------------------------------------------------------------------------------------

-- Whose index a `rebuild_index` builds, one job a generation at a time.
ALTER TABLE jobs ADD COLUMN generation_id bigint;
UPDATE jobs j SET generation_id = g.id FROM generations g
WHERE j.kind = 'rebuild_index' AND g.collection_id = j.collection_id;
DROP INDEX jobs_one_rebuild_a_collection;
CREATE UNIQUE INDEX jobs_one_rebuild_a_generation ON jobs (generation_id)
    WHERE kind = 'rebuild_index' AND finished_at IS NULL;

-- Recall -------------------------------------------------------------------------------------------------------------

-- Answers of the index compared with exact ones: recall at 10, latency in milliseconds.
-- `ef_search_needed` would have met the floor; NULL where it was met, or where nothing would.
CREATE TABLE recall_probes (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id         uuid NOT NULL REFERENCES tenants,
    generation_id     bigint NOT NULL REFERENCES generations ON DELETE CASCADE,
    at                timestamptz NOT NULL DEFAULT now(),
    samples           integer NOT NULL,
    ef_search         integer NOT NULL,
    recall_at_10      double precision NOT NULL CHECK (recall_at_10 BETWEEN 0 AND 1),
    floor             double precision NOT NULL,
    ef_search_needed  integer,
    p50_ms            double precision NOT NULL,
    p95_ms            double precision NOT NULL,
    exact_p50_ms      double precision NOT NULL
);
CREATE INDEX recall_probes_of_a_generation ON recall_probes (generation_id, id DESC);
