-- name: record_chat
-- What one answer of the chat model cost.
INSERT INTO usage (tenant_id, job_id, model, prompt_tokens, completion_tokens, cost_usd)
VALUES (%(tenant_id)s, %(job_id)s, %(model)s, %(prompt_tokens)s, %(completion_tokens)s, %(cost_usd)s)
