"""What descriptions cost, by tenant and job."""

from uuid import UUID

from dbrag.catalog.completion import ChatAnswer
from dbrag.database.queries import beside
from dbrag.runtime import Runtime

SQL = beside(__file__, "spend.sql")


def record(runtime: Runtime, tenant_id: UUID, job_id: UUID, model: str, answer: ChatAnswer) -> None:
    """Records a paid answer in a transaction of its own, so that a crash later on does not hide what was spent."""
    for_prompts, for_answers = runtime.settings.chat_usd_per_million_tokens
    with runtime.pool.connection() as conn:
        conn.execute(
            SQL.record_chat,
            {
                "tenant_id": tenant_id,
                "job_id": job_id,
                "model": model,
                "prompt_tokens": answer.prompt_tokens,
                "completion_tokens": answer.completion_tokens,
                "cost_usd": (answer.prompt_tokens * for_prompts + answer.completion_tokens * for_answers) / 1e6,
            },
        )
