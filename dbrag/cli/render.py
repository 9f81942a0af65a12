"""How jobs, items and search results look; pure functions from the API's answers to what rich prints."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbrag.cli.tally import doing, usd
from dbrag.client.model import Budget, Collection, Hit, Item, Job, Spent, UsageReport
from dbrag.jobs.model import Status

SNIPPET_CHARS = 320
STYLES = {
    Status.SUCCEEDED: "green",
    Status.COMPLETED_WITH_ERRORS: "yellow",
    Status.FAILED: "red",
    Status.CANCELLED: "red",
    Status.HELD: "yellow",
    Status.RETRYING: "yellow",
}


def jobs_table(jobs: Sequence[Job], now: datetime) -> RenderableType:
    """A line a job, in the order given; ages as of `now` (aware)."""
    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True, min_width=36)  # whole, since it is what the other commands want
    for heading in ("kind", "queue", "status"):
        table.add_column(heading)
    for heading in ("items", "failed", "age", "cost"):
        table.add_column(heading, justify="right")
    for job in jobs:
        items = f"{job.counts.done}/{job.counts.total}"
        facts = (items, str(job.counts.failed or ""), age(now - job.created_at), usd(job.usage.cost_usd))
        table.add_row(job.id, job.kind, job.queue, status(job), *facts)
    return table


def job_details(job: Job, failed: Sequence[Item]) -> RenderableType:
    """Everything one look at a job should tell."""
    grid = Table.grid(padding=(0, 2))
    for label, value in _facts(job):
        grid.add_row(Text(label, "dim"), value)
    return Group(grid, failures(failed)) if failed else grid


def failures(items: Sequence[Item]) -> RenderableType:
    """Failed items with their reasons."""
    heading = Text(f"{len(items)} failed:", "bold")
    return Group(heading, *(Padding(_failure(item), (0, 0, 0, 2), expand=False) for item in items))


def hits(found: Sequence[Hit], snippet_chars: int = SNIPPET_CHARS) -> RenderableType:
    """Passages, best first, each with score, document, offsets and the beginning of its text."""
    if not found:
        return Text("Nothing found.")
    lines: list[RenderableType] = []
    for place, hit in enumerate(found, 1):
        source = Text.assemble(f"{place}. ", (f"{hit.score:.3f}", "cyan"), "  ", (hit.external_id, "bold"))
        lines.append(source.append(f"  characters {hit.start}–{hit.end}", "dim"))
        lines.append(Padding(Text(snippet(hit.text, snippet_chars)), (0, 0, 0, 3), expand=False))
    return Group(*lines)


def collection(one: Collection) -> RenderableType:
    """Everything one look at a collection should tell."""
    chunking = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in one.chunking.items())
    facts = [
        ("collection", one.name),
        ("vectors", f"{one.model}, {one.dimensions} dimensions, {one.storage}"),
        ("chunks", chunking),
        ("words", one.language or ""),
        ("created", f"{one.created_at:%Y-%m-%d %H:%M:%S %Z}"),
        ("paused", f"since {one.paused_at:%Y-%m-%d %H:%M:%S %Z}" if one.paused_at else ""),
    ]
    if change := one.building:
        facts.append(("becomes", f"{change.model}, {change.dimensions} dimensions: job {change.job_id}"))
    grid = Table.grid(padding=(0, 2))
    for label, value in facts:
        if value:
            grid.add_row(Text(label, "dim"), Text(value))
    return grid


def usage(report: UsageReport, by: str) -> RenderableType:
    """A line a day, model, … , the sum, and what is left of a budget."""
    table = Table(by, box=None, pad_edge=False, show_footer=True)
    sums = _spent(report.total)
    table.columns[0].footer = "total"
    for heading, total in zip(("tokens", "texts", "from cache", "cost"), sums, strict=True):
        table.add_column(heading, justify="right", footer=total)
    name = "job_id" if by == "job" else by
    for row in report.data:
        table.add_row(str(getattr(row, name) or f"({row.about})"), *_spent(row))
    return Group(table, _budget(report.budget)) if report.budget else table


def snippet(text: str, chars: int) -> str:
    """The beginning of a text on one line, cut at a word."""
    flat = " ".join(text.split())
    if len(flat) <= chars:
        return flat
    cut = flat[:chars]
    return cut[: cut.rfind(" ") if " " in cut else chars] + " …"


def status(job: Job) -> Text:
    return Text(job.status, STYLES.get(job.status, ""))


def age(span: timedelta) -> str:
    """A span of time in its largest unit."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _spent(row: Spent) -> tuple[str, str, str, str]:
    tokens = row.prompt_tokens + row.completion_tokens
    return f"{tokens:,}", f"{row.texts:,}", f"{row.texts_from_cache:,}", usd(row.cost_usd)


def _budget(budget: Budget) -> str:
    bounds = {"day": (budget.spent_day_usd, budget.day_usd), "month": (budget.spent_month_usd, budget.month_usd)}
    parts = [f"{usd(spent)} of {usd(bound)} a {name}" for name, (spent, bound) in bounds.items() if bound is not None]
    wait = f"; jobs wait until {budget.resets_at:%Y-%m-%d %H:%M %Z}" if budget.is_spent else ""
    return f"budget: {', '.join(parts)}{wait}"


def _facts(job: Job) -> list[tuple[str, RenderableType]]:
    counts = job.counts
    items = f"{counts.completed} of {counts.total} completed, {counts.failed} failed, {counts.skipped} skipped"
    usage = f"{job.usage.prompt_tokens} tokens, {usd(job.usage.cost_usd)}"
    facts: list[tuple[str, RenderableType]] = [
        ("job", job.id),
        ("kind", f"{job.kind} on queue {job.queue}, attempt {job.attempt}"),
        ("status", status(job)),
        ("items", f"{items}; {counts.cached} needed no paid text"),
        ("cost", f"{usage}, {job.usage.texts_from_cache} texts from the cache"),
        ("times", _times(job)),
    ]
    if not job.status.is_final:
        facts.insert(3, ("now", _now(job)))
    elif job.status_reason:
        facts.insert(3, ("reason", Text(job.status_reason.detail or job.status_reason.code)))
    if job.error:
        facts.append(("error", Text(f"{job.error.code}: {job.error.detail}", "red")))
    return facts


def _now(job: Job) -> Text:
    eta = job.progress.eta_seconds
    left = f", about {age(timedelta(seconds=eta))} left" if eta is not None else ""
    return Text(f"{doing(job)}, {job.progress.percent:.0f} %{left}")


def _times(job: Job) -> str:
    stamps = [("created", job.created_at), ("started", job.started_at), ("finished", job.finished_at)]
    return ", ".join(f"{word} {at:%Y-%m-%d %H:%M:%S %Z}" for word, at in stamps if at)


def _failure(item: Item) -> Text:
    name = item.external_id or f"item {item.index}"
    if item.error is None:
        return Text(name)
    return Text.assemble(("✗ ", "red"), (name, "bold"), f"  {item.error.code}: {item.error.detail}")
