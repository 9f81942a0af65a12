-- The role with which KEDA asks how much waits: it sees what scaling.yaml counts of the jobs of all tenants, and nothing
-- else. Run it once, as the owner of the tables, after the first `dbrag db upgrade`:
--   psql "$DATABASE_URL" -f scaler.sql -c '\password dbrag_scaler'
CREATE ROLE dbrag_scaler LOGIN CONNECTION LIMIT 10;
GRANT SELECT (id, queue, status, created_at, started_at) ON jobs TO dbrag_scaler;
CREATE POLICY scaler_counts_all ON jobs FOR SELECT TO dbrag_scaler USING (true);
