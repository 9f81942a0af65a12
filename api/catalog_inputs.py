"""What requests about connections, tables and routes hold; the rest is in inputs.py."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from api.fields import Line, Question, Queue, Strict, Text
from api.inputs import CollectionsQuery, NewCollectionPath
from dbrag.catalog.connections import SAMPLE_ROWS
from dbrag.catalog.dsn import MAX_CHARACTERS
from dbrag.catalog.masking import MOST_COLUMNS, MOST_SHOWN
from dbrag.catalog.model import Masking
from dbrag.catalog.route import MOST_COLLECTIONS
from dbrag.jobs.model import Queue as QueueName
from dbrag.vectors.model import Mode


class ConnectionPath(BaseModel):
    name: str = Field(description="Name of a connection.")


class NewConnectionPath(NewCollectionPath):
    pass


class TablePath(ConnectionPath):
    table: str = Field(description="`schema.table`, as it stands in the catalog.")


class MaskingInput(Strict):
    """What of sample rows nobody is to see, beside what dbrag masks anyway."""

    columns: list[Line] = Field([], max_length=MOST_COLUMNS, description="Regular expressions for names of columns.")
    shown: list[Line] = Field([], max_length=MOST_SHOWN, description="`schema.table.column` that are not masked.")

    def policy(self) -> Masking:
        return Masking(self.columns, self.shown)


class ConnectionInput(Strict):
    dsn: str = Field(
        max_length=MAX_CHARACTERS, description="PostgreSQL, as a libpq URI; of a role that may read, no more."
    )
    masking: MaskingInput = Field(default_factory=lambda: MaskingInput.model_validate({}))
    sample_rows: int = Field(SAMPLE_ROWS, ge=0, le=20, description="Rows of each table that are looked at; 0 for none.")
    update_every_s: int | None = Field(None, ge=60, le=31_536_000, description="How often beat updates the catalog.")


class UpdateCatalogInput(Strict):
    """What to look at: the whole database, or less."""

    schema_: Line | None = Field(None, alias="schema", description="Only this schema.")
    table: Line | None = Field(None, description="Only this table; `schema` says which, where there are several.")
    force: bool = Field(False, description="Describe anew what has not changed, too.")
    queue: Queue = Field(QueueName.DEFAULT)


class DescriptionInput(Strict):
    """What is left out stays dbrag's own."""

    purpose: Text | None = Field(None, max_length=2000)
    grain: Line | None = Field(None, description="What one row stands for.")
    key_columns: list[Line] | None = Field(None, max_length=50)
    synonyms: list[Line] | None = Field(None, max_length=50)
    questions: list[Line] | None = Field(None, max_length=50)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise PydanticCustomError("description", "say something: purpose, grain, key_columns, synonyms, questions")
        return self


class CatalogQuestion(Strict):
    query: Question = Field(description="What you want to know, in your own words.")
    connections: list[Line] | None = Field(None, min_length=1, max_length=20, description="Only tables of these.")


class SearchCatalogInput(CatalogQuestion):
    limit: int = Field(10, ge=1, le=100)
    mode: Annotated[Mode, Field(strict=False)] = Mode.HYBRID


class RouteInput(CatalogQuestion):
    collections: list[Line] | None = Field(
        None,
        min_length=1,
        max_length=20,
        description=f"Only documents of these; unset: of the first {MOST_COLLECTIONS} by name.",
    )
    limit: int = Field(3, ge=1, le=20, description="How many of each at most.")


class ConnectionsQuery(CollectionsQuery):
    pass


class TablesQuery(CollectionsQuery):
    schema_: Line | None = Field(None, alias="schema", description="Only tables of this schema.")
