"""Alerts and dashboards name metrics that there are, and runbooks that there are; promtool says what fires."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMETHEUS, RUNBOOKS = ROOT / "deploy" / "prometheus", ROOT / "docs" / "runbooks"
GRAFANA = ROOT / "deploy" / "grafana"
RULES = (PROMETHEUS / "rules.yml").read_text()
MADE_IN = [path for folder in ("api", "dbrag", "workers") for path in (ROOT / folder).rglob("*.py")]
MAKES = re.compile(r'(\w*)\(\s*"(dbrag_[a-z0-9_]+)"')
ENDINGS = {
    "Counter": ("_total",),
    "CounterMetricFamily": ("_total",),
    "Histogram": ("_sum", "_count", "_bucket"),
}
NAME = re.compile(r"\bdbrag_[a-z0-9_]+")


def made() -> set[str]:
    """Every name under which our code tells something, as Prometheus sees it."""
    found = {found for path in MADE_IN for found in MAKES.findall(path.read_text())}
    return {name + end for kind, name in found for end in ENDINGS.get(kind, ("",))}


def queries() -> list[str]:
    """Those of all panels."""
    panels = [panel for path in GRAFANA.glob("*.json") for panel in json.loads(path.read_text())["panels"]]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def alerts() -> set[str]:
    return set(re.findall(r"- alert: (\w+)", RULES))


def test_every_metric_in_a_rule_a_runbook_or_a_panel_is_one_of_ours() -> None:
    paths = (PROMETHEUS / "rules.yml", *RUNBOOKS.glob("*.md"))
    texts = {path.name: path.read_text() for path in paths} | {"grafana": "\n".join(queries())}
    unknown = {file: names for file, text in texts.items() if (names := set(NAME.findall(text)) - made())}
    assert unknown == {}
    assert len(NAME.findall(RULES)) > 20


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == alerts()
    assert set(re.findall(r"runbook: docs/runbooks/(\w+)\.md", RULES)) == alerts()
    for path in RUNBOOKS.glob("*.md"):
        parts = re.findall(r"^\*\*(.+?)\*\*", path.read_text(), re.MULTILINE)
        assert parts == ["What it means.", "How to see it.", "What to do."], path.name


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "tests.yml")],
    ids=" ".join,
)
def test_promtool_finds_no_fault(arguments: tuple[str, ...]) -> None:
    _promtool(*arguments)


def test_promtool_can_read_the_query_of_every_panel(tmp_path: Path) -> None:
    # YAML takes JSON, too.
    rules = [{"record": f"panel{number}", "expr": query} for number, query in enumerate(queries())]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    _promtool("check", "rules", str(tmp_path / "panels.yml"))
    assert len(rules) > 40


def _promtool(*arguments: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
