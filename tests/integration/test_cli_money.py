"""`dbrag ingest --dry-run` and `dbrag usage` against a running platform: what it costs, before and after."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.running import Platform

Dbrag = Callable[..., Result]


def test_a_dry_run_keeps_nothing_and_tells_what_is_paid_afterwards(platform: Platform, dbrag: Dbrag) -> None:
    platform.collection("cli-price")
    for number in range(5):
        Path(f"{number}.txt").write_text(f"What does number {number} cost?")
    Path("empty.txt").touch()
    command = ("ingest", ".", "-c", "cli-price", "--batch-files", "3", "--json")
    before = json.loads(dbrag(*command, "--dry-run").stdout)
    assert (before["documents"], before["chunks"], before["sent_before"]) == (5, 5, 0)
    assert [one["external_id"] for one in before["refused"]] == ["empty.txt"]
    assert platform.client.get("/jobs", params={"collection": "cli-price"}).json()["data"] == []
    paid = json.loads(dbrag(*command).stdout)["usage"]
    # The provider's stand-in counts tokens in its own way.
    assert (before["tokens"], before["cost_usd"]) == (
        pytest.approx(paid["prompt_tokens"], rel=0.3),
        pytest.approx(paid["cost_usd"], rel=0.3),
    )
    after = dbrag("ingest", ".", "-c", "cli-price", "--dry-run")
    assert "5 files were sent before" in after.stdout
    assert "0 tokens to be paid for" in after.stdout


@pytest.mark.parametrize("by", ["day", "model", "collection", "job", "kind"])
def test_usage_is_told_in_rows_that_add_up(platform: Platform, dbrag: Dbrag, by: str) -> None:
    path = platform.collection("cli-usage")
    platform.wait(platform.ingest(path, [{"text": f"Something to pay for, {by}."}]))
    report = json.loads(dbrag("usage", "--by", by, "--since", "1d", "--json").stdout)
    names = [(row["job_id" if by == "job" else by], row.get("about")) for row in report["data"]]
    assert len(set(names)) == len(names) > 0
    jobs_only = sum(row["cost_usd"] for row in report["data"])
    assert 0 < jobs_only <= report["total"]["cost_usd"] + 1e-12
    shown = dbrag("usage", "--by", by, "--since", "1d")
    assert (shown.exit_code, shown.stdout.splitlines()[0].split()[0]) == (0, by)
    assert shown.stdout.splitlines()[-1].split()[0] == "total"
