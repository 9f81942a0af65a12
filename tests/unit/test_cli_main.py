"""The program as it is called: exit codes and the one line of an error."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dbrag.cli.exit_codes import ExitCode
from dbrag.cli.main import app
from dbrag.cli.settings_table import settings_table
from dbrag.settings import Settings

run = CliRunner()


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder and an environment that names nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "DBRAG_API_URL", "DBRAG_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "command",
    [
        ["jobs", "list"],
        ["jobs", "show", "1", "--api", "nonsense", "--key", "x"],
        ["search", "text", "-c", "docs"],
        ["ingest", "missing.pdf", "-c", "docs"],
        ["keys", "list", "--tenant", "default"],
        ["db", "upgrade"],
        ["db", "check"],
        ["relay"],
        ["demo"],
    ],
)
def test_a_command_that_cannot_do_its_work_ends_with_one_line_and_1(command: list[str]) -> None:
    result = run.invoke(app, command)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1


def test_an_api_that_is_away_may_be_there_later() -> None:
    result = run.invoke(app, ["jobs", "list", "--api", "http://127.0.0.1:9", "--key", "x"])
    assert (result.exit_code, result.stdout) == (ExitCode.TRY_LATER, "")
    assert result.stderr.startswith("error: No API answers at http://127.0.0.1:9 ")
    assert "make up" in result.stderr


def test_a_misspelt_command_line_ends_with_2() -> None:
    assert run.invoke(app, ["ingest", "a.txt"]).exit_code == 2


def test_the_doctor_reports_missing_settings_as_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run.invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "✗ settings: DATABASE_URL: Field required" in result.stdout
    assert "– API: No API address." in result.stdout


def test_unreachable_servers_are_findings_and_what_stands_on_them_is_skipped(tmp_path: Path) -> None:
    address = {"api": "http://127.0.0.1:9", "api_key": "k", "database_url": "postgresql://127.0.0.1:9/x"}
    servers = {"broker_url": "redis://127.0.0.1:9/0", "cache_url": "redis://127.0.0.1:9/1"}
    (tmp_path / ".dbrag").mkdir()
    (tmp_path / ".dbrag" / "stack.json").write_text(json.dumps(address | servers))
    result = run.invoke(app, ["doctor", "--no-provider"])
    assert result.exit_code == 1
    marks = {line[2:].split(":")[0]: line[0] for line in result.stdout.splitlines()}
    assert {name for name, mark in marks.items() if mark == "✗"} == {"PostgreSQL", "broker", "cache", "API"}
    assert {name for name, mark in marks.items() if mark == "✓"} == {"settings"}


def test_the_table_names_every_setting_and_shows_no_secret() -> None:
    lines = settings_table().splitlines()[2:]
    assert len(lines) == len(Settings.model_fields)
    assert "| `DATABASE_URL` | *required* | PostgreSQL with pgvector >= 0.8, as a libpq URI. |" in lines
    assert any(line.startswith("| `OPENAI_API_KEY` | — |") for line in lines)
    assert any(line.startswith("| `DBRAG_LEASE_S` | `60` |") for line in lines)
    assert all(not line.endswith("| None |") for line in lines)
