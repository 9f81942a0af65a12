-- Workers of the release before run beside new ones for a while: nothing here forbids what they write.

-- Turns --------------------------------------------------------------------------------------------------------------

-- How much of the workers a tenant gets beside others that wait in the same queue.
ALTER TABLE tenants ADD COLUMN weight integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000);

-- Who has jobs to publish, and which of them is next; what the broker has already.
DROP INDEX jobs_to_publish;
CREATE INDEX jobs_to_publish ON jobs (queue, tenant_id, publish_at) WHERE publish_at IS NOT NULL;
CREATE INDEX jobs_published ON jobs (queue, tenant_id) WHERE publish_at IS NULL
    AND (status IN ('queued', 'retrying') OR (status = 'held' AND reason_code = 'no_consumer'));

-- Which generations (each of one tenant, model and dimensions) have texts that wait, and which of these is next.
DROP INDEX pending_next;
CREATE INDEX pending_next ON pending (queue_rank, generation_id, chunk_id) WHERE claim_id IS NULL;

-- Waiting ------------------------------------------------------------------------------------------------------------

-- Documents of a paused collection are accepted and wait; searches and its index go on.
ALTER TABLE collections ADD COLUMN paused_at timestamptz;

-- A job can be held before it has begun: its queue has no consumer, or its collection is paused.
ALTER TABLE jobs
    DROP CONSTRAINT jobs_at_work_have_started,
    ADD CONSTRAINT jobs_at_work_have_started CHECK (status NOT IN ('running', 'retrying') OR started_at IS NOT NULL);
CREATE INDEX jobs_held ON jobs (reason_code, queue, collection_id) WHERE status = 'held';

-- Looked at once a second: which collections are paused, and what of theirs is still to be held.
CREATE INDEX collections_paused ON collections (id) WHERE paused_at IS NOT NULL;
CREATE INDEX jobs_to_pause ON jobs (collection_id) WHERE status IN ('queued', 'retrying', 'running');

-- How many bytes were submitted with a job; what waits is bounded by their sum.
ALTER TABLE jobs ADD COLUMN bytes bigint NOT NULL DEFAULT 0;
DROP INDEX jobs_under_way;
CREATE INDEX jobs_under_way ON jobs (tenant_id, queue, status) INCLUDE (bytes) WHERE finished_at IS NULL;
-- Failed jobs among however many that succeeded, to be looked at and tried again, oldest first.
CREATE INDEX jobs_failed ON jobs (tenant_id, id) WHERE status IN ('failed', 'completed_with_errors');

-- When the last canary of a queue was sent, and when a worker last took one.
CREATE TABLE canaries (
    queue    text PRIMARY KEY CHECK (queue IN ('critical', 'default', 'low')),
    sent_at  timestamptz,
    seen_at  timestamptz,
    -- The same of the last wake-up for those who embed.
    wake_sent_at   timestamptz,
    wake_taken_at  timestamptz
);
INSERT INTO canaries (queue) VALUES ('critical'), ('default'), ('low');

-- Poison -------------------------------------------------------------------------------------------------------------

-- How often a worker began with this item alone, after one had died of its job; see dbrag/documents/poison.py.
ALTER TABLE job_items ADD COLUMN tries smallint NOT NULL DEFAULT 0;

-- The provider -------------------------------------------------------------------------------------------------------

-- A model whose provider gives nothing: nobody claims texts for it before `paused_until`, and then one claim at a time
-- until one succeeds. `failures` in a row; no row: all is well. See dbrag/embedding/pauses.py.
CREATE TABLE pauses (
    model          text PRIMARY KEY,
    failures       integer NOT NULL DEFAULT 0,
    paused_until   timestamptz NOT NULL,
    reason_code    text NOT NULL,
    reason_detail  text NOT NULL,
    since          timestamptz NOT NULL DEFAULT now()
);

-- The life cycle ------------------------------------------------------------------------------------------------------

-- Every change of status is an event, and one of these moves: the figure in docs/job-states.md, whichever query makes it.
-- A job that waits can end without running, where its last items are settled from elsewhere.
CREATE OR REPLACE FUNCTION record_job_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.finished_at IS NOT NULL AND NEW.status <> 'queued' THEN
        RAISE EXCEPTION 'job % is %, which is final', OLD.id, OLD.status USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.status <> ALL (CASE OLD.status
        WHEN 'queued' THEN ARRAY['running', 'held', 'cancelling', 'succeeded', 'completed_with_errors', 'failed']
        WHEN 'held' THEN ARRAY['queued', 'running', 'cancelling', 'succeeded', 'completed_with_errors', 'failed']
        WHEN 'running' THEN
            ARRAY['queued', 'held', 'retrying', 'cancelling', 'succeeded', 'completed_with_errors', 'failed']
        WHEN 'retrying' THEN ARRAY['running', 'held', 'cancelling', 'succeeded', 'completed_with_errors', 'failed']
        WHEN 'cancelling' THEN ARRAY['cancelled']
        WHEN 'completed_with_errors' THEN ARRAY['queued']
        WHEN 'failed' THEN ARRAY['queued']
        ELSE ARRAY[]::text[] END) THEN
        RAISE EXCEPTION 'job % cannot go from % to %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO job_events (tenant_id, job_id, status, attempt, reason_code, reason_detail)
    VALUES (NEW.tenant_id, NEW.id, NEW.status, NEW.attempt, NEW.reason_code, NEW.reason_detail);
    RETURN NULL;
END $$;

-- Generations ---------------------------------------------------------------------------------------------------------

-- Whether every transaction has ended that may not know a generation's status. `since` is the transaction that changed
-- it, and others begin between that one's first write and its commit: so whoever sees the change notes down the first
-- transaction that began after it (`noticed`), and for which change (`noticed_since`).
ALTER TABLE generations ADD COLUMN noticed_since xid8, ADD COLUMN noticed xid8;
