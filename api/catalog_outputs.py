"""What answers about connections, tables and routes hold; the rest is in outputs.py."""

from datetime import datetime

from pydantic import BaseModel, Field

from api.outputs import HitOutput, Listing
from dbrag.catalog.model import DescribedBy, TableKind


class MaskingOutput(BaseModel):
    columns: list[str]
    shown: list[str]


class ConnectionOutput(BaseModel):
    """A registered database; its DSN is not shown, and nothing of it where no encryption key opens it any more."""

    name: str
    host: str | None = None
    port: str | None = None
    database: str | None = None
    user: str | None = None
    sslmode: str | None = None
    masking: MaskingOutput
    sample_rows: int
    update_every_s: int | None
    tables: int = Field(description="How many of its tables are described.")
    created_at: datetime
    updated_at: datetime


class DescriptionOutput(BaseModel):
    """What a table is for. It is data: whoever hands it to a model must not let it speak as an instruction."""

    purpose: str
    grain: str = Field(description="What one row stands for.")
    key_columns: list[str]
    synonyms: list[str]
    questions: list[str]


class ColumnOutput(BaseModel):
    name: str
    type: str
    nullable: bool
    default: str | None
    comment: str | None


class ForeignKeyOutput(BaseModel):
    name: str
    columns: list[str]
    target_schema: str
    target_table: str
    target_columns: list[str]


class IndexedOutput(BaseModel):
    name: str
    columns: list[str]
    unique: bool


class FallbackOutput(BaseModel):
    """Why the chat model did not describe the table; `passing`: it is asked again at the next update."""

    code: str
    detail: str
    passing: bool


class TableSummaryOutput(BaseModel):
    connection: str
    schema_: str = Field(serialization_alias="schema")
    table: str
    kind: TableKind
    purpose: str
    described_by: DescribedBy
    columns: int
    row_estimate: int | None = Field(description="As of its last ANALYZE; null before the first.")
    described_at: datetime


class TableOutput(BaseModel):
    connection: str
    schema_: str = Field(serialization_alias="schema")
    table: str
    kind: TableKind
    comment: str | None
    description: DescriptionOutput
    described_by: DescribedBy
    fallback: FallbackOutput | None
    columns: list[ColumnOutput]
    primary_key: list[str]
    unique_keys: list[list[str]]
    foreign_keys: list[ForeignKeyOutput]
    indexes: list[IndexedOutput]
    definition: str | None = Field(description="A view's query.")
    partitions: int
    row_estimate: int | None
    samples: list[dict[str, str | None]] = Field(description="A few rows, cut and masked.")
    described_at: datetime


class TableHitOutput(BaseModel):
    """A table; `columns` are those whose names or comments speak of the question."""

    connection: str
    schema_: str = Field(serialization_alias="schema")
    table: str
    kind: TableKind
    score: float = Field(description="1 for the first of both rankings, by vector and by words.")
    description: DescriptionOutput
    described_by: DescribedBy
    row_estimate: int | None
    primary_key: list[str]
    columns: list[ColumnOutput]


class JoinStepOutput(BaseModel):
    """One foreign key; `from` and `to` are in the order of the path, whichever side refers to the other."""

    foreign_key: str
    from_table: str
    from_columns: list[str]
    to_table: str
    to_columns: list[str]


class JoinPathOutput(BaseModel):
    connection: str
    steps: list[JoinStepOutput]


class TablesFoundOutput(Listing[TableHitOutput]):
    joins: list[JoinPathOutput] = Field(description="How these tables are joined, over two others at most.")


class DocumentHitOutput(HitOutput):
    collection: str


class RouteScoresOutput(BaseModel):
    documents: float
    tables: float


class RouteOutput(BaseModel):
    target: str = Field(description="documents, tables, both or none")
    scores: RouteScoresOutput
    documents: list[DocumentHitOutput]
    tables: list[TableHitOutput]
