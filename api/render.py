"""What dbrag's functions return, in the words of the API: pure, one function a thing."""

from hashlib import sha256

from api import outputs
from dbrag.documents.model import Collection, Document
from dbrag.jobs.model import Event, Item, Job, QueueReport
from dbrag.jobs.progress import progress
from dbrag.jobs.reasons import reason
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


def job(found: Job) -> outputs.JobOutput:
    """The job body."""
    why = reason(found)
    return outputs.JobOutput(
        id=found.id,
        kind=found.kind,
        status=found.status,
        queue=found.queue,
        created_at=found.created_at,
        started_at=found.started_at,
        finished_at=found.finished_at,
        attempt=found.attempt,
        status_reason=why and outputs.ReasonOutput.model_validate(why, from_attributes=True),
        counts=outputs.CountsOutput.model_validate(found, from_attributes=True),
        progress=outputs.ProgressOutput.model_validate(progress(found), from_attributes=True),
        usage=outputs.UsageOutput.model_validate(found, from_attributes=True),
        result=found.result,
        error=found.error,
    )


def version(body: outputs.JobOutput) -> str:
    """The same for two bodies that differ in nothing but their time to go, which passes by itself."""
    lasting = body.model_copy(update={"progress": body.progress.model_copy(update={"eta_seconds": None})})
    return sha256(lasting.model_dump_json().encode()).hexdigest()[:32]


def event(found: Event) -> outputs.EventOutput:
    reason = None
    if found.reason_code is not None:
        reason = outputs.ReasonOutput(code=found.reason_code, detail=found.reason_detail, until=found.reason_until)
    return outputs.EventOutput(
        id=found.id,
        job_id=found.job_id,
        status=found.status,
        attempt=found.attempt,
        at=found.at,
        status_reason=reason,
    )


def item(found: Item) -> outputs.ItemOutput:
    return outputs.ItemOutput.model_validate(found, from_attributes=True)


def hit(found: Hit) -> outputs.HitOutput:
    """Where it stands is told beside the metadata and in them, but a document's own keys are its own."""
    shown = outputs.HitOutput.model_validate(found, from_attributes=True)
    known = {"page": found.page, "headings": found.headings}
    shown.metadata = {key: value for key, value in known.items() if value} | found.metadata
    return shown


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
