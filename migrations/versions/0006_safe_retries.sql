-- The first answer to a request with an Idempotency-Key, for whoever sends it again within a day. `id` is the SHA-256 of
-- tenant, route and key, `request` that of the query and the body.
CREATE TABLE idempotency_keys (
    id          bytea PRIMARY KEY CHECK (octet_length(id) = 32),
    tenant_id   uuid NOT NULL REFERENCES tenants,
    request     bytea NOT NULL CHECK (octet_length(request) = 32),
    job_id      uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    answer      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
