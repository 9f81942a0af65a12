"""What `GET /v1/usage` and a dry run answer, as models."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, Field

from dbrag.accounts.usage import About


class SpentOutput(BaseModel):
    """`texts` were paid for, `texts_from_cache` were not, since their vectors were there."""

    texts: int
    texts_from_cache: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


class DayOutput(SpentOutput):
    day: date = Field(description="In UTC.")


class ModelOutput(SpentOutput):
    model: str


class CollectionSpentOutput(SpentOutput):
    collection: str | None = Field(description="Its name; null for what `about` tells.")
    about: About = Field(
        description="A `collection`, the `catalog`, `searches` (no job pays for them) or what was `deleted`."
    )


class JobSpentOutput(SpentOutput):
    job_id: UUID


class KindOutput(SpentOutput):
    kind: str = Field(description="A kind of job, or `search`.")


class BudgetOutput(BaseModel):
    """What may be spent, set by the operator, in US dollars; days and months are UTC's."""

    day_usd: float | None = Field(description="null: no bound.")
    month_usd: float | None = Field(description="null: no bound.")
    spent_day_usd: float
    spent_month_usd: float
    is_spent: bool = Field(description="Jobs wait: `held`, with the reason `budget`.")
    resets_at: datetime = Field(description="When the bound that is reached, or would be first, begins anew.")


class UsageReportOutput(BaseModel):
    since: datetime
    until: datetime
    data: list[DayOutput | ModelOutput | CollectionSpentOutput | JobSpentOutput | KindOutput] = Field(
        description="Days in their order, jobs newest first, all else by cost."
    )
    has_more: bool
    next_cursor: str | None
    total: SpentOutput = Field(description="Of the whole time, whatever is on this page; searches are in it, too.")
    budget: BudgetOutput | None = Field(description="null where the operator has set none.")


class RefusedOutput(BaseModel):
    """An item that would fail."""

    index: int
    external_id: str | None
    code: str
    detail: str


class CostOutput(BaseModel):
    """What sending this without `dry_run` would cost."""

    documents: int = Field(description="Items that would be ingested.")
    skipped: int = Field(description="Items that `on_conflict=skip` would leave alone.")
    refused: list[RefusedOutput]
    chunks: int
    texts: int = Field(description="Of the chunks: to be paid for.")
    texts_from_cache: int = Field(description="Not to be paid for: stored, cached, or the same as another.")
    tokens: int = Field(description="Of what is to be paid for.")
    cost_usd: float
    model: str
    exact: bool = Field(description="False where there was time for a part only, and the rest was taken to be like it.")
