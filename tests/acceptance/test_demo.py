"""`make demo`, as a newcomer runs it."""

import os
import re
import subprocess
from pathlib import Path

import psutil
import pytest

CHECKOUT = Path(__file__).parents[2]
GIVEN = {"DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "MAKELEVEL"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of its own, with this one's virtual environment."""
    for part in CHECKOUT.iterdir():
        if part.name != ".dbrag":
            (tmp_path / part.name).symlink_to(part)
    return tmp_path


def demo(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--assume-old=.venv/.installed", "demo"],
        check=False,
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name not in GIVEN},
        capture_output=True,
        text=True,
        timeout=170,
    )


def test_the_demo_works_twice_and_pays_once(checkout: Path) -> None:
    first = demo(checkout)
    assert first.returncode == 0, first.stdout + first.stderr
    parts = (
        "completed_with_errors",
        "broken-truncated.pdf",
        "us-constitution.docx",
        "would have cost $0.00",
        "resumed: ",
    )
    for part in parts:
        assert part in first.stdout
    assert re.search(r"resumed: \d+ of \d+ files were sent before", first.stdout)
    again = demo(checkout)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 tokens were embedded" in again.stdout
    left = [process for process in psutil.process_iter(["cmdline"]) if str(checkout) in str(process.info["cmdline"])]
    assert left == []
