"""What people read: progress lines, job tables, failed items, passages."""

from datetime import UTC, datetime, timedelta

import pytest
from cli_examples import ended, job
from rich.console import Console, RenderableType

from dbrag.cli import render
from dbrag.cli.exit_codes import of_jobs
from dbrag.cli.tally import doing, tally, usd
from dbrag.client.model import Hit, Item, Problem
from dbrag.jobs.model import ItemStatus


def text(renderable: RenderableType) -> str:
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_a_progress_line_says_items_rate_failures_cost_and_stage() -> None:
    assert tally([job()]).line(rate=2.5) == "5/10 documents · 2.5/s · 1 failed · $0.000024 · embedding"


def test_what_an_update_of_the_catalog_works_on_are_tables() -> None:
    described = job(kind="update_metadata_catalog", progress={"stage": "describing", "percent": 50.0})
    assert tally([described]).line() == "5/10 tables · 1 failed · $0.000024 · describing"


def test_a_tally_adds_jobs_up_and_expects_what_is_not_sent_yet() -> None:
    total = tally([job(), ended("succeeded", total=10)], expected=40)
    assert (total.total, total.done, total.failed, total.prompt_tokens) == (40, 15, 1, 2400)
    assert total.share == pytest.approx((5 + 10) / 40)


def test_nothing_sent_is_nothing_done() -> None:
    assert tally([]).share == 0.0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "embedding"),
        (
            {"status": "held", "status_reason": {"code": "rate_limit", "detail": "tokens per minute are used up"}},
            "held: tokens per minute are used up",
        ),
        (
            {"status": "retrying", "status_reason": {"code": "x", "until": "2026-11-21T10:05:00Z"}},
            "retrying: x until 10:05:00",
        ),
        (
            {"status": "cancelling"},
            "cancelling",
        ),
        (
            {"status": "queued", "progress": {"stage": "waiting", "queue_position": 7}},
            "waiting, number 7 in queue default",
        ),
    ],
)
def test_a_job_says_what_it_is_at_or_waits_for(changes: dict[str, object], sentence: str) -> None:
    assert doing(job(**changes)) == sentence


@pytest.mark.parametrize(
    ("amount", "shown"), [(0, "$0.00"), (0.000024, "$0.000024"), (4.2e-7, "$0.00000042"), (12.345, "$12.35")]
)
def test_small_prices_keep_their_digits(amount: float, shown: str) -> None:
    assert usd(amount) == shown


@pytest.mark.parametrize(
    ("jobs", "code"),
    [
        ([ended("succeeded")], 0),
        ([ended("succeeded"), ended("completed_with_errors", total=3, failed=1)], 3),
        ([ended("failed", failed=1)], 3),
        ([ended("cancelled")], 1),
        ([], 0),
    ],
)
def test_the_exit_code_tells_failed_items_from_other_ends(jobs: list[render.Job], code: int) -> None:
    assert of_jobs(jobs) == code


def test_job_details_tell_status_reason_counts_cost_and_failed_items() -> None:
    failed = Item(
        index=3, external_id="bad.pdf", status=ItemStatus.FAILED, error=Problem(code="extraction", detail="no text")
    )
    shown = text(render.job_details(job(), [failed]))
    for part in (
        "ingest_document on queue default, attempt 1",
        "running",
        "embedding, 50 %, about 12 s left",
        "4 of 10 completed, 1 failed, 0 skipped; 2 needed no paid text",
        "1200 tokens, $0.000024, 3 texts from the cache",
        "bad.pdf  extraction: no text",
    ):
        assert part in shown


def test_a_job_that_is_over_shows_its_error_instead_of_progress() -> None:
    shown = text(render.job_details(job(status="failed", error={"code": "attempts", "detail": "5 tries"}), []))
    assert "attempts: 5 tries" in shown
    assert "left" not in shown


def test_markup_in_names_and_texts_is_shown_and_not_interpreted() -> None:
    hit = Hit(external_id="[bold]x[/bold].md", text="[red]see[/red] [1]", start=0, end=9, score=0.5)
    item = Item(index=0, external_id="[x]", status=ItemStatus.FAILED, error=Problem(code="c", detail="[/y]"))
    shown = text(render.hits([hit])) + text(render.failures([item]))
    for part in ("[bold]x[/bold].md", "[red]see[/red] [1]", "[x]", "[/y]"):
        assert part in shown


def test_jobs_are_listed_one_a_line_in_the_order_given() -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    lines = text(render.jobs_table([job(id="b"), job(id="a")], now)).splitlines()
    assert [line.split()[0] for line in lines] == ["id", "b", "a"]
    assert lines[1].split() == ["b", "ingest_document", "default", "running", "5/10", "1", "2", "h", "$0.000024"]


def test_passages_are_numbered_with_score_name_and_offsets() -> None:
    hit = Hit(external_id="docs/a.md", text="One\n two", start=120, end=128, score=0.7123)
    assert " ".join(text(render.hits([hit])).split()) == "1. 0.712 docs/a.md characters 120–128 One two"


def test_an_empty_result_says_so() -> None:
    assert text(render.hits([])).strip() == "Nothing found."


def test_a_snippet_is_cut_at_a_word() -> None:
    assert render.snippet("alpha  beta\ngamma", 12) == "alpha beta …"
    assert render.snippet("alpha beta", 10) == "alpha beta"
    assert render.snippet("x" * 20, 5) == "xxxxx …"


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (timedelta(seconds=-1), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=23), "23 h"),
        (timedelta(days=3, hours=5), "3 d"),
    ],
)
def test_ages_are_told_in_their_largest_unit(span: timedelta, shown: str) -> None:
    assert render.age(span) == shown
