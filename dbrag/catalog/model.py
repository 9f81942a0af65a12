"""What the catalog knows: connections, the tables found through them, and how these are described."""

from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic.dataclasses import dataclass


class TableKind(StrEnum):
    """What PostgreSQL calls a relation that rows can be read from; partitions are part of their table."""

    TABLE = "table"
    PARTITIONED_TABLE = "partitioned_table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized_view"
    FOREIGN_TABLE = "foreign_table"


class DescribedBy(StrEnum):
    """Who wrote an entry's description: the chat model, dbrag out of names, comments, keys and samples, or a user."""

    MODEL = "model"
    COMPOSED = "composed"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Masking:
    """Which values of samples are not to be seen by anybody; see dbrag/catalog/masking.py.

    `columns` are regular expressions, without regard to case: columns whose name has a match are masked, beside those
    that dbrag knows. `shown` are `schema.table.column` (or `table.column`, or `column`) that never are.
    """

    columns: list[str] = field(default_factory=list[str])
    shown: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Connection:
    """A registered database of one tenant; `dsn` is the encrypted token, which only workers open.

    `sample_rows`: rows of each table that are looked at, 0 for none. `update_every_s`: how often beat updates the
    catalog, None for never.
    """

    id: int
    tenant_id: UUID
    name: str
    dsn: bytes
    masking: Masking
    sample_rows: int
    update_every_s: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Column:
    """`type` as PostgreSQL writes it, such as `character varying(40)`."""

    name: str
    type: str
    nullable: bool = True
    default: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` refer to `target_columns` of `target_schema`.`target_table`, in this order."""

    name: str
    columns: list[str]
    target_schema: str
    target_table: str
    target_columns: list[str]


@dataclass(frozen=True, slots=True)
class Index:
    """`columns` holds expressions as PostgreSQL writes them."""

    name: str
    columns: list[str]
    unique: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One relation as its database's catalog has it. `definition` is a view's query.

    `row_estimate`: as of the last ANALYZE or VACUUM, None where there was none. `partitions`: how many there are.
    """

    oid: int
    schema: str
    name: str
    kind: TableKind
    comment: str | None = None
    columns: list[Column] = field(default_factory=list[Column])
    primary_key: list[str] = field(default_factory=list[str])
    unique_keys: list[list[str]] = field(default_factory=list[list[str]])
    foreign_keys: list[ForeignKey] = field(default_factory=list[ForeignKey])
    indexes: list[Index] = field(default_factory=list[Index])
    definition: str | None = None
    partitions: int = 0
    row_estimate: int | None = None

    @property
    def full_name(self) -> str:
        """`schema.table`, as users write it; not quoted."""
        return f"{self.schema}.{self.name}"


Row = dict[str, str | None]
"""A sample row by column: values as text, cut and masked; None for NULL."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a table is for. `grain`: what one row stands for."""

    purpose: str
    grain: str = ""
    key_columns: list[str] = field(default_factory=list[str])
    synonyms: list[str] = field(default_factory=list[str])
    questions: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Fallback:
    """Why the chat model did not describe a table. `passing`: worth asking again at the next update."""

    code: str
    detail: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """A description and who made it; `prompt_tokens` and `completion_tokens` are what was paid for it now."""

    description: Description
    by: DescribedBy
    fallback: Fallback | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


def overridden(description: Description, override: dict[str, Any] | None) -> Description:
    """The description with the user's own words in place of what they say."""
    return replace(description, **override) if override else description


@dataclass(frozen=True, slots=True)
class Entry:
    """A described table as it is stored, under its document's version.

    `override` are the user's own words, by field of a description.
    """

    version_id: int
    connection: str
    connection_id: int
    table: Table
    samples: list[Row]
    description: Description
    described_by: DescribedBy
    fallback: Fallback | None
    override: dict[str, Any] | None
    described_at: datetime

    @property
    def shown(self) -> Description:
        """As its owner sees it."""
        return overridden(self.description, self.override)

    @property
    def shown_by(self) -> DescribedBy:
        """Who speaks in it."""
        return DescribedBy.USER if self.override else self.described_by
