"""What dbrag's functions return, in the words of the API: pure, one function a thing."""

from datetime import datetime
from typing import Any

from api import outputs
from dbrag.catalog.model import Connection, Description, Entry
from dbrag.catalog.route import Route
from dbrag.catalog.search import CatalogAnswer, TableHit
from dbrag.documents.model import Collection, Document
from dbrag.jobs.model import Item, Job, QueueReport
from dbrag.jobs.progress import progress
from dbrag.vectors.estimate import Estimate
from dbrag.vectors.model import Hit, IndexReport, Probe


def collection(found: Collection) -> outputs.CollectionOutput:
    return outputs.CollectionOutput(
        name=found.name,
        model=found.model,
        dimensions=found.dimensions,
        storage=found.storage,
        m=found.m,
        ef_construction=found.ef_construction,
        chunking=outputs.ChunkingOutput(max_tokens=found.max_tokens, overlap_tokens=found.overlap_tokens),
        language=found.language,
        building=found.building and outputs.BuildingOutput.model_validate(found.building, from_attributes=True),
        paused_at=found.paused_at,
        created_at=found.created_at,
    )


def estimate(found: Estimate) -> outputs.EstimateOutput:
    return outputs.EstimateOutput.model_validate(found, from_attributes=True)


def document(found: Document) -> outputs.DocumentOutput:
    return outputs.DocumentOutput.model_validate(found, from_attributes=True)


def job(found: Job, now: datetime) -> outputs.JobOutput:
    """The job body; `now` (aware) is what its time to go is counted from."""
    return outputs.JobOutput(
        id=found.id,
        kind=found.kind,
        status=found.status,
        queue=found.queue,
        created_at=found.created_at,
        started_at=found.started_at,
        finished_at=found.finished_at,
        attempt=found.attempt,
        status_reason=_reason(found),
        counts=outputs.CountsOutput.model_validate(found, from_attributes=True),
        progress=outputs.ProgressOutput.model_validate(progress(found, now), from_attributes=True),
        usage=outputs.UsageOutput.model_validate(found, from_attributes=True),
        result=found.result,
        error=found.error,
    )


def item(found: Item) -> outputs.ItemOutput:
    return outputs.ItemOutput.model_validate(found, from_attributes=True)


def hit(found: Hit) -> outputs.HitOutput:
    return outputs.HitOutput.model_validate(found, from_attributes=True)


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
            outputs.DocumentHitOutput(collection=one.collection, **hit(one.hit).model_dump()) for one in found.documents
        ],
        tables=[table_hit(one) for one in found.tables],
    )


def index(found: IndexReport, probe: Probe | None) -> outputs.IndexOutput:
    return outputs.IndexOutput(
        settings=outputs.IndexSettingsOutput.model_validate(found.generation, from_attributes=True),
        rows=found.rows,
        bytes=sum(segment.bytes for segment in found.segments),
        segments=[outputs.SegmentOutput.model_validate(segment, from_attributes=True) for segment in found.segments],
        generations=[
            outputs.GenerationOutput.model_validate(generation, from_attributes=True)
            for generation in found.generations
        ],
        recall=outputs.RecallOutput.model_validate(probe, from_attributes=True) if probe else None,
    )


def queue(found: QueueReport, messages: int | None) -> outputs.QueueOutput:
    return outputs.QueueOutput(
        name=found.name,
        waiting=found.waiting,
        running=found.running,
        oldest_age_s=found.oldest_age_s,
        pending_texts=found.pending_texts,
        consumed_at=found.consumed_at,
        messages=messages,
    )


def _reason(found: Job) -> outputs.ReasonOutput | None:
    if found.reason_code is None:
        return None
    return outputs.ReasonOutput(code=found.reason_code, detail=found.reason_detail, until=found.reason_until)
