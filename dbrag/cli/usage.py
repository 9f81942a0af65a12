"""`dbrag usage`: what was used, and what it cost."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dbrag.accounts.usage import By
from dbrag.cli import options, output, render
from dbrag.cli.times import instant


def usage(
    by: Annotated[By, typer.Option(help="A row for each of these.")] = By.DAY,
    since: Annotated[str, typer.Option(help="From then on: an age (30m, 2h, 7d), or a time.")] = "30d",
    until: Annotated[str | None, typer.Option(help="Before then: an age, or a time.")] = None,
    as_json: options.Json = False,
    api: options.Api = None,
    key: options.Key = None,
) -> None:
    """Show tokens, texts and cost, by day, model, collection, job or kind, and what is left of a budget."""
    now = datetime.now(UTC)
    with options.open_client(api, key) as client:
        report = client.usage(by.value, instant(since, now), instant(until, now) if until else None)
    if as_json:
        output.json(report.model_dump(mode="json", exclude_unset=True))
    else:
        output.answers().print(render.usage(report, by.value))
