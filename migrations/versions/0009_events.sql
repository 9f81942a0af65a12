ALTER TABLE job_events ADD COLUMN reason_until timestamptz;

-- As in 0003, and until when the job waits. An id is drawn while its job's row is locked, so a job's events are committed
-- in the order of their ids: whoever has read up to one misses none that comes later (dbrag/jobs/events.py).
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
    INSERT INTO job_events (tenant_id, job_id, status, attempt, reason_code, reason_detail, reason_until)
    VALUES (NEW.tenant_id, NEW.id, NEW.status, NEW.attempt, NEW.reason_code, NEW.reason_detail, NEW.reason_until);
    RETURN NULL;
END $$;
