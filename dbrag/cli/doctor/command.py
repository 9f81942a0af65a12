"""The command `dbrag doctor`: runs the checks, prints a line each."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from dbrag.cli import output
from dbrag.cli.address import find_address, load_settings
from dbrag.cli.doctor.model import Check, Finding, Mark, Subject, skipped
from dbrag.cli.options import Api, Key
from dbrag.errors import DbragError

STYLES = {Mark.OK: "green", Mark.WRONG: "bold red", Mark.SKIPPED: "dim"}


def doctor(
    ask_provider: Annotated[
        bool, typer.Option("--provider/--no-provider", help="Ask the provider for one embedding; costs a token.")
    ] = True,
    api: Api = None,
    key: Key = None,
) -> None:
    """Look at every part that dbrag needs; say what is wrong and what to do. Ends with 1 if anything is wrong."""
    from dbrag.cli.doctor.checks import checks  # noqa: PLC0415 (a second of imports that others do without)

    console = output.answers()
    marks: list[Mark] = []
    for name, finding in examine(checks(_subject(api, key), ask_provider=ask_provider)):
        console.print(line(name, finding), soft_wrap=True)
        marks.append(finding.mark)
    raise typer.Exit(1 if Mark.WRONG in marks else 0)


def examine(checks: Sequence[Check]) -> Iterator[tuple[str, Finding]]:
    """Run the checks; one that needs what was not found well is skipped."""
    well: set[str] = set()
    for check in checks:
        missing = [need for need in check.needs if need not in well]
        finding = skipped(f"not looked at, because of {missing[0]}") if missing else check.look()
        if finding.mark is Mark.OK:
            well.add(check.name)
        yield check.name, finding


def line(name: str, finding: Finding) -> Text:
    text = Text.assemble((finding.mark, STYLES[finding.mark]), " ", (f"{name}: ", "bold"), finding.seen)
    return text.append(f" → {finding.remedy}", "yellow") if finding.remedy else text


def _subject(api_url: str | None, key: str | None) -> Subject:
    folder = Path.cwd()
    try:
        settings = load_settings(folder)
    except DbragError as exc:
        settings = exc.detail
    try:
        address = find_address(api_url, key, folder)
    except DbragError as exc:
        address = exc.detail
    return Subject(settings, address)
