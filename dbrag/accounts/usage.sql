-- name: usage_by
-- What a tenant spent in a time, by what `by` names, and in all. First by what is stored, so that only few rows are given
-- names; by `job` there is only the sum, for jobs come in pages (`usage_of_jobs`).
WITH spent AS MATERIALIZED (
    SELECT CASE WHEN %(by)s IN ('kind', 'collection') THEN job_id END AS job_id,
           CASE WHEN %(by)s = 'model' THEN model END AS model,
           CASE WHEN %(by)s = 'day' THEN (at AT TIME ZONE 'UTC')::date END AS day,
           sum(texts) AS texts, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
           sum(texts_from_cache) AS texts_from_cache, sum(cost_usd) AS cost_usd
    FROM usage WHERE tenant_id = %(tenant_id)s AND at >= %(since)s AND at < %(until)s GROUP BY 1, 2, 3
), named AS (
    SELECT s.*, CASE WHEN s.job_id IS NULL THEN 'searches' WHEN c.id IS NULL OR c.deleted_at IS NOT NULL THEN 'deleted'
                     WHEN c.name LIKE '.%%' THEN 'catalog' ELSE 'collection' END AS about, c.name AS collection, j.kind
    FROM spent s LEFT JOIN jobs j ON j.id = s.job_id AND %(by)s IN ('kind', 'collection')
    LEFT JOIN collections c ON c.id = j.collection_id
), grouped AS (
    SELECT *, CASE %(by)s WHEN 'day' THEN day::text WHEN 'model' THEN model WHEN 'kind' THEN coalesce(kind, 'search')
                          WHEN 'collection' THEN CASE WHEN about = 'collection' THEN collection END END AS name,
           CASE WHEN %(by)s = 'collection' THEN about END AS about_it
    FROM named
)
SELECT name, about_it AS about, grouping(name, about_it) > 0 AS is_total, coalesce(sum(texts), 0)::bigint AS texts,
       coalesce(sum(prompt_tokens), 0)::bigint AS prompt_tokens,
       coalesce(sum(completion_tokens), 0)::bigint AS completion_tokens,
       coalesce(sum(texts_from_cache), 0)::bigint AS texts_from_cache, coalesce(sum(cost_usd), 0)::float8 AS cost_usd
FROM grouped GROUP BY GROUPING SETS ((name, about_it), ())
ORDER BY CASE WHEN %(by)s = 'day' THEN name END, sum(cost_usd) DESC, name

-- name: usage_of_jobs
-- A page of jobs, newest first (ids are UUIDv7), with what each spent in that time.
SELECT job_id::text AS name, NULL AS about, false AS is_total, sum(texts)::bigint AS texts,
       sum(prompt_tokens)::bigint AS prompt_tokens, sum(completion_tokens)::bigint AS completion_tokens,
       sum(texts_from_cache)::bigint AS texts_from_cache, sum(cost_usd)::float8 AS cost_usd
FROM usage
WHERE tenant_id = %(tenant_id)s AND at >= %(since)s AND at < %(until)s AND job_id IS NOT NULL
  AND (%(before)s::uuid IS NULL OR job_id < %(before)s)
GROUP BY job_id ORDER BY job_id DESC LIMIT %(limit)s
