CREATE EXTENSION IF NOT EXISTS vector;

-- Accounts -----------------------------------------------------------------------------------------------------------

CREATE TABLE tenants (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   uuid NOT NULL REFERENCES tenants,
    name        text NOT NULL,
    prefix      text NOT NULL UNIQUE,
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    scopes      text[] NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    revoked_at  timestamptz
);

-- Collections and their vectors --------------------------------------------------------------------------------------

-- A deleted collection gives its name free at once; its rows are removed in the background.
CREATE TABLE collections (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id       uuid NOT NULL REFERENCES tenants,
    name            text NOT NULL,
    max_tokens      integer NOT NULL CHECK (max_tokens > 0),
    overlap_tokens  integer NOT NULL CHECK (overlap_tokens >= 0 AND overlap_tokens < max_tokens),
    created_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz
);
CREATE UNIQUE INDEX collections_name ON collections (tenant_id, name) WHERE deleted_at IS NULL;

-- The vectors of generation 7 are in table generation_7, partitioned by segment; see dbrag/vectors/segments.py.
CREATE TABLE generations (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id        uuid NOT NULL REFERENCES tenants,
    collection_id    bigint NOT NULL REFERENCES collections ON DELETE CASCADE,
    model            text NOT NULL,
    dimensions       integer NOT NULL CHECK (dimensions BETWEEN 1 AND 4000),
    storage          text NOT NULL CHECK (storage IN ('halfvec', 'vector')),
    m                integer NOT NULL DEFAULT 16 CHECK (m BETWEEN 2 AND 100),
    ef_construction  integer NOT NULL DEFAULT 64 CHECK (ef_construction BETWEEN 4 AND 1000),
    created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX generations_of_a_collection ON generations (collection_id);

CREATE TABLE segments (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      uuid NOT NULL REFERENCES tenants,
    generation_id  bigint NOT NULL REFERENCES generations ON DELETE CASCADE,
    status         text NOT NULL DEFAULT 'fresh' CHECK (status IN ('fresh', 'sealed', 'indexed', 'retired')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    sealed_at      timestamptz,
    indexed_at     timestamptz,
    CHECK ((status = 'fresh') = (sealed_at IS NULL)),
    CHECK (status <> 'indexed' OR indexed_at IS NOT NULL)
);
CREATE UNIQUE INDEX segments_one_fresh ON segments (generation_id) WHERE status = 'fresh';
CREATE INDEX segments_of_a_generation ON segments (generation_id, status);

-- Jobs ---------------------------------------------------------------------------------------------------------------

-- claim_id and lease_until: who works on the job, and until when that is believed.
-- publish_at: the outbox mark, the time from which the relay may publish the job; NULL while a message covers it.
CREATE TABLE jobs (
    id             uuid PRIMARY KEY,
    tenant_id      uuid NOT NULL REFERENCES tenants,
    kind           text NOT NULL CHECK (kind IN
                     ('ingest_document', 'batch_embed', 'update_metadata_catalog', 'rebuild_index')),
    status         text NOT NULL DEFAULT 'queued' CHECK (status IN
                     ('queued', 'held', 'running', 'retrying', 'cancelling',
                      'succeeded', 'completed_with_errors', 'failed', 'cancelled')),
    queue          text NOT NULL CHECK (queue IN ('critical', 'default', 'low')),
    collection_id  bigint REFERENCES collections ON DELETE SET NULL,
    params         jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT now(),
    started_at     timestamptz,
    finished_at    timestamptz,
    attempt        integer NOT NULL DEFAULT 0,
    claim_id       uuid,
    lease_until    timestamptz,
    publish_at     timestamptz DEFAULT now(),
    published_at   timestamptz,
    publish_count  integer NOT NULL DEFAULT 0,
    reason_code    text,
    reason_detail  text,
    reason_until   timestamptz,
    total          integer NOT NULL DEFAULT 0,
    completed      integer NOT NULL DEFAULT 0,
    failed         integer NOT NULL DEFAULT 0,
    skipped        integer NOT NULL DEFAULT 0,
    cancelled      integer NOT NULL DEFAULT 0,
    cached         integer NOT NULL DEFAULT 0,
    prepared       integer NOT NULL DEFAULT 0,
    chunks_total   integer NOT NULL DEFAULT 0,
    chunks_done    integer NOT NULL DEFAULT 0,
    result         jsonb,
    error          jsonb,
    CONSTRAINT jobs_end_once CHECK
        ((status IN ('succeeded', 'completed_with_errors', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT jobs_end_with_every_item CHECK
        (finished_at IS NULL OR completed + failed + skipped + cancelled = total),
    CONSTRAINT jobs_end_without_errors CHECK (status <> 'succeeded' OR failed + cancelled = 0),
    CONSTRAINT jobs_over_are_not_published CHECK (finished_at IS NULL OR publish_at IS NULL),
    CONSTRAINT jobs_claims_have_a_lease CHECK ((claim_id IS NULL) = (lease_until IS NULL)),
    CONSTRAINT jobs_only_claimed_at_work CHECK (claim_id IS NULL OR status IN ('running', 'cancelling')),
    CONSTRAINT jobs_at_work_have_started CHECK (status NOT IN ('running', 'held', 'retrying') OR started_at IS NOT NULL),
    CONSTRAINT jobs_say_why_they_wait CHECK (status NOT IN ('held', 'retrying') OR reason_code IS NOT NULL),
    CONSTRAINT jobs_count_each_item_once CHECK (completed + failed + skipped + cancelled <= total)
);
CREATE INDEX jobs_of_a_tenant ON jobs (tenant_id, id DESC);
CREATE INDEX jobs_of_a_collection ON jobs (collection_id);
CREATE INDEX jobs_under_way ON jobs (tenant_id, queue, status) WHERE finished_at IS NULL;
CREATE INDEX jobs_queued ON jobs (queue, id) WHERE status = 'queued';
CREATE INDEX jobs_to_publish ON jobs (publish_at) WHERE publish_at IS NOT NULL;
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX jobs_waiting ON jobs (queue, published_at) WHERE status IN ('queued', 'retrying');
CREATE INDEX jobs_embedding ON jobs (id) WHERE status IN ('running', 'held') AND claim_id IS NULL;
CREATE INDEX jobs_cancelling ON jobs (id) WHERE status = 'cancelling';
CREATE INDEX jobs_started ON jobs (queue, started_at);
CREATE UNIQUE INDEX jobs_one_rebuild_a_collection ON jobs (collection_id)
    WHERE kind = 'rebuild_index' AND finished_at IS NULL;

CREATE TABLE job_items (
    job_id       uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    index        integer NOT NULL,
    tenant_id    uuid NOT NULL REFERENCES tenants,
    external_id  text,
    status       text NOT NULL DEFAULT 'queued' CHECK (status IN
                   ('queued', 'embedding', 'completed', 'failed', 'skipped', 'cancelled')),
    error        jsonb,
    PRIMARY KEY (job_id, index),
    CHECK ((status = 'failed') = (error IS NOT NULL))
);
CREATE INDEX job_items_by_status ON job_items (job_id, status, index);

CREATE TABLE job_events (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      uuid NOT NULL REFERENCES tenants,
    job_id         uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    at             timestamptz NOT NULL DEFAULT now(),
    status         text NOT NULL,
    attempt        integer NOT NULL,
    reason_code    text,
    reason_detail  text
);
CREATE INDEX job_events_of_a_job ON job_events (job_id, id);

-- Every change of status is an event, whichever query made it; a final status is left only by a retry, which queues.
CREATE FUNCTION record_job_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.finished_at IS NOT NULL AND NEW.status <> 'queued' THEN
        RAISE EXCEPTION 'job % is %, which is final', OLD.id, OLD.status USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO job_events (tenant_id, job_id, status, attempt, reason_code, reason_detail)
    VALUES (NEW.tenant_id, NEW.id, NEW.status, NEW.attempt, NEW.reason_code, NEW.reason_detail);
    RETURN NULL;
END $$;
CREATE TRIGGER job_created AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION record_job_event();
CREATE TRIGGER job_moved AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION record_job_event();

-- Documents ----------------------------------------------------------------------------------------------------------

CREATE TABLE documents (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      uuid NOT NULL REFERENCES tenants,
    collection_id  bigint NOT NULL REFERENCES collections,
    external_id    text COLLATE "C" NOT NULL,
    last_version   integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (collection_id, external_id)
);

-- waiting: accepted, not all vectors are there; live: what searches see; failed: can be retried.
-- What was overtaken or cancelled has no row any more. `paid`: some text of it was sent to the provider.
CREATE TABLE document_versions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenants,
    document_id  bigint NOT NULL REFERENCES documents ON DELETE CASCADE,
    version      integer NOT NULL,
    status       text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'live', 'failed')),
    job_id       uuid NOT NULL REFERENCES jobs,
    item_index   integer NOT NULL,
    title        text,
    metadata     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    text         text,
    paid         boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (document_id, version)
);
CREATE UNIQUE INDEX document_versions_one_live ON document_versions (document_id) WHERE status = 'live';
CREATE INDEX document_versions_of_a_job ON document_versions (job_id, item_index);

CREATE TABLE blobs (
    version_id  bigint PRIMARY KEY REFERENCES document_versions ON DELETE CASCADE,
    tenant_id   uuid NOT NULL REFERENCES tenants,
    media_type  text,
    filename    text,
    content     bytea NOT NULL
);

-- kept_chunk_id: this place of a waiting version takes over that chunk of the live one, vector and all, when the
-- version goes live; see dbrag/documents/versions.py.
CREATE TABLE chunks (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id      uuid NOT NULL REFERENCES tenants,
    generation_id  bigint NOT NULL,
    version_id     bigint NOT NULL REFERENCES document_versions,
    position       integer NOT NULL,
    start_offset   integer NOT NULL,
    end_offset     integer NOT NULL CHECK (end_offset > start_offset),
    tokens         integer NOT NULL,
    hash           bytea NOT NULL CHECK (octet_length(hash) = 32),
    text           text NOT NULL,
    kept_chunk_id  bigint
);
CREATE INDEX chunks_of_a_version ON chunks (version_id);
CREATE INDEX chunks_by_hash ON chunks (generation_id, hash);
CREATE INDEX chunks_kept ON chunks (kept_chunk_id) WHERE kept_chunk_id IS NOT NULL;

-- Chunks without a vector. No foreign keys: what was cancelled is found and dropped by whoever claims it, so that
-- cancelling never waits for an embedding transaction, nor the other way round.
CREATE TABLE pending (
    chunk_id       bigint PRIMARY KEY,
    tenant_id      uuid NOT NULL,
    version_id     bigint NOT NULL,
    job_id         uuid NOT NULL,
    generation_id  bigint NOT NULL,
    model          text NOT NULL,
    dimensions     integer NOT NULL,
    queue_rank     smallint NOT NULL,
    tokens         integer NOT NULL,
    hash           bytea NOT NULL,
    claim_id       uuid,
    lease_until    timestamptz,
    not_before     timestamptz,
    deferrals      smallint NOT NULL DEFAULT 0,
    CHECK ((claim_id IS NULL) = (lease_until IS NULL))
);
CREATE INDEX pending_next ON pending (queue_rank, chunk_id) WHERE claim_id IS NULL;
CREATE INDEX pending_claimed ON pending (claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX pending_in_flight ON pending (hash) WHERE claim_id IS NOT NULL;
CREATE INDEX pending_leased ON pending (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX pending_of_a_version ON pending (version_id);
-- Every row is written twice and deleted soon: keep up with that.
ALTER TABLE pending SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, fillfactor = 70);

-- What was paid, and what was not asked for because a vector of that text was there.
CREATE TABLE usage (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id         uuid NOT NULL REFERENCES tenants,
    job_id            uuid,
    model             text NOT NULL,
    at                timestamptz NOT NULL DEFAULT now(),
    texts             integer NOT NULL DEFAULT 0,
    prompt_tokens     bigint NOT NULL DEFAULT 0,
    texts_from_cache  integer NOT NULL DEFAULT 0,
    cost_usd          numeric(16, 10) NOT NULL DEFAULT 0
);
CREATE INDEX usage_of_a_job ON usage (job_id);
CREATE INDEX usage_by_day ON usage (tenant_id, at);
