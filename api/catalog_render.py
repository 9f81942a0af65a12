"""What the catalog returns, in the words of the API: pure, one function a thing."""

from typing import Any

from api import catalog_outputs as outputs
from api import render
from dbrag.catalog.model import Connection, Description, Entry
from dbrag.catalog.route import Route
from dbrag.catalog.search import CatalogAnswer, TableHit


def connection(found: Connection, address: dict[str, Any], tables: int) -> outputs.ConnectionOutput:
    return outputs.ConnectionOutput(
        name=found.name,
        **address,
        masking=outputs.MaskingOutput.model_validate(found.masking, from_attributes=True),
        sample_rows=found.sample_rows,
        update_every_s=found.update_every_s,
        tables=tables,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )


def table_summary(found: Entry) -> outputs.TableSummaryOutput:
    return outputs.TableSummaryOutput(
        connection=found.connection,
        schema_=found.table.schema,
        table=found.table.name,
        kind=found.table.kind,
        purpose=found.shown.purpose,
        described_by=found.shown_by,
        columns=len(found.table.columns),
        row_estimate=found.table.row_estimate,
        described_at=found.described_at,
    )


def table(found: Entry) -> outputs.TableOutput:
    return outputs.TableOutput(
        connection=found.connection,
        schema_=found.table.schema,
        table=found.table.name,
        kind=found.table.kind,
        comment=found.table.comment,
        description=description(found.shown),
        described_by=found.shown_by,
        fallback=found.fallback and outputs.FallbackOutput.model_validate(found.fallback, from_attributes=True),
        columns=[outputs.ColumnOutput.model_validate(one, from_attributes=True) for one in found.table.columns],
        primary_key=found.table.primary_key,
        unique_keys=found.table.unique_keys,
        foreign_keys=[
            outputs.ForeignKeyOutput.model_validate(one, from_attributes=True) for one in found.table.foreign_keys
        ],
        indexes=[outputs.IndexedOutput.model_validate(one, from_attributes=True) for one in found.table.indexes],
        definition=found.table.definition,
        partitions=found.table.partitions,
        row_estimate=found.table.row_estimate,
        samples=found.samples,
        described_at=found.described_at,
    )


def description(found: Description) -> outputs.DescriptionOutput:
    return outputs.DescriptionOutput.model_validate(found, from_attributes=True)


def tables_found(found: CatalogAnswer) -> outputs.TablesFoundOutput:
    return outputs.TablesFoundOutput(
        data=[table_hit(hit) for hit in found.hits],
        joins=[outputs.JoinPathOutput.model_validate(path, from_attributes=True) for path in found.joins],
    )


def table_hit(found: TableHit) -> outputs.TableHitOutput:
    entry = found.entry
    return outputs.TableHitOutput(
        connection=entry.connection,
        schema_=entry.table.schema,
        table=entry.table.name,
        kind=entry.table.kind,
        score=found.score,
        description=description(entry.shown),
        described_by=entry.shown_by,
        row_estimate=entry.table.row_estimate,
        primary_key=entry.table.primary_key,
        columns=[outputs.ColumnOutput.model_validate(column, from_attributes=True) for column in found.columns],
    )


def route(found: Route) -> outputs.RouteOutput:
    return outputs.RouteOutput(
        target=found.target,
        scores=outputs.RouteScoresOutput.model_validate(found.scores, from_attributes=True),
        documents=[
            outputs.DocumentHitOutput(collection=one.collection, **render.hit(one.hit).model_dump())
            for one in found.documents
        ],
        tables=[table_hit(one) for one in found.tables],
    )
