"""What the API's answers on the catalog hold, which databases, which tables, which joins."""

from pydantic import Field

from dbrag.client.model import Answer, Hit


class Connection(Answer):
    """A registered database."""

    name: str
    host: str | None = None
    port: str | None = None
    database: str | None = None
    user: str | None = None
    tables: int
    update_every_s: int | None = None


class TableSummary(Answer):
    """A described table, in a list."""

    connection: str
    schema_: str = Field(alias="schema")
    table: str
    kind: str
    purpose: str
    described_by: str
    columns: int
    row_estimate: int | None = None

    @property
    def full_name(self) -> str:
        return f"{self.schema_}.{self.table}"


class Description(Answer):
    """What a table is for."""

    purpose: str
    grain: str = ""
    key_columns: list[str] = Field(default_factory=list[str])
    synonyms: list[str] = Field(default_factory=list[str])
    questions: list[str] = Field(default_factory=list[str])


class Column(Answer):
    """`comment` is the database's own."""

    name: str
    type: str
    comment: str | None = None


class ForeignKey(Answer):
    """`columns` refer to `target_columns` of the target."""

    columns: list[str]
    target_schema: str
    target_table: str
    target_columns: list[str]


class Table(Answer):
    """One described table, whole."""

    connection: str
    schema_: str = Field(alias="schema")
    table: str
    kind: str
    description: Description
    described_by: str
    columns: list[Column]
    primary_key: list[str]
    foreign_keys: list[ForeignKey]
    row_estimate: int | None = None


class TableHit(Answer):
    """A table that answers a question; `columns` are those whose names or comments speak of it."""

    connection: str
    schema_: str = Field(alias="schema")
    table: str
    score: float
    description: Description
    columns: list[Column]

    @property
    def full_name(self) -> str:
        return f"{self.schema_}.{self.table}"


class Step(Answer):
    """One join: these columns of one table are those of the other."""

    from_table: str
    from_columns: list[str]
    to_table: str
    to_columns: list[str]


class JoinPath(Answer):
    """How two tables that were found are joined."""

    steps: list[Step]


class TablesFound(Answer):
    """The tables that answer a question best, and how they are joined."""

    data: list[TableHit]
    joins: list[JoinPath]


class Scores(Answer):
    """How probable it is that one side answers the question (0–1)."""

    documents: float
    tables: float


class DocumentHit(Hit):
    """A passage, and the collection in which it was found."""

    collection: str


class Route(Answer):
    """Where a question is answered: `documents`, `tables`, `both` or `none`."""

    target: str
    scores: Scores
    documents: list[DocumentHit]
    tables: list[TableHit]
