"""`dbrag ingest --dry-run`: what it would cost."""

from collections.abc import Sequence

from dbrag.cli import output, resume
from dbrag.cli.journal import Known
from dbrag.cli.resume import Plan
from dbrag.cli.sources import Source
from dbrag.cli.tally import usd
from dbrag.cli.upload import Upload
from dbrag.client.model import Estimate
from dbrag.errors import NotFound


def show(upload: Upload, files: Sequence[Source], *, again: bool, as_json: bool) -> None:
    """Print what sending these files would cost, without those that were sent before. Raises: NotFound."""
    try:
        plan = resume.plan(files, Known() if again else upload.known())
        total = of(upload, plan)
    except NotFound as exc:
        name = upload.collection
        raise NotFound(
            f"The price depends on the collection, and there is no {name}: dbrag collections create {name}"
        ) from exc
    if as_json:
        output.json(total.model_dump(mode="json") | {"sent_before": plan.before})
        return
    skipped = f" {plan.before:,} files were sent before; --again counts all." if plan.before else ""
    console = output.answers()
    console.print(f"{sentence(total)}{skipped}", markup=False, soft_wrap=True)
    for one in total.refused:
        console.print(f"  ✗ {one.external_id}  {one.code}: {one.detail}", markup=False, soft_wrap=True)


def of(upload: Upload, plan: Plan) -> Estimate:
    """All batches together; nothing is kept of them."""
    parts = [upload.client.estimate(upload.collection, files) for _, files in upload.batches(plan)]
    return Estimate(
        documents=sum(part.documents for part in parts),
        refused=[refused for part in parts for refused in part.refused],
        chunks=sum(part.chunks for part in parts),
        texts=sum(part.texts for part in parts),
        texts_from_cache=sum(part.texts_from_cache for part in parts),
        tokens=sum(part.tokens for part in parts),
        cost_usd=sum(part.cost_usd for part in parts),
        model=parts[0].model if parts else "",
        exact=all(part.exact for part in parts),
    )


def sentence(total: Estimate) -> str:
    """What it would cost, in words."""
    size = f"{total.documents:,} documents, {total.chunks:,} chunks"
    known = f" ({total.texts_from_cache:,} texts are known)" if total.texts_from_cache else ""
    paid = f"{total.tokens:,} tokens to be paid for{known}"
    price = f"{'' if total.exact else 'about '}{usd(total.cost_usd)}"
    refused = f" {len(total.refused):,} more would fail." if total.refused else ""
    return f"{size}, {paid}: {price}{f' with {total.model}' if total.model else ''}.{refused}"
