"""The console in a real browser, on the running platform: what a person does from signing in to finding something."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chromium import NAMES, Page, chromium, installed
from tests.running import Platform

TEXTS = {
    "owls.txt": "Owls hunt at night and sleep by day.",
    "bread.md": "Bread rises because yeast makes gas.",
    "poison.txt": "This text is poison to the provider.",
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    command = installed()
    if command is None:
        pytest.skip(f"no Chromium here (none of {', '.join(NAMES)}): apt-get install chromium")
    with ExitStack() as running:
        try:
            page = running.enter_context(chromium(command, tmp_path_factory.mktemp("profile")))
        except BrokenPipeError:
            if "CI" in os.environ:
                raise
            pytest.skip(f"{command} does not start here")
        yield page


@pytest.fixture
def console(platform: Platform, page: Page) -> str:
    """The console's address, with the browser signed in."""
    url = f"{platform.api.url}/console"
    page.complaints.clear()
    page.open(f"{url}/jobs")
    if page.run("location.pathname") == "/console/sign-in":
        page.type("#key", platform.client.headers["Authorization"].removeprefix("Bearer "))
        page.click("button.main")
        page.wait_for("location.pathname === '/console/jobs'")
    return url


def percent(page: Page) -> float:
    return page.run("document.querySelector('main progress').value")


def test_files_are_dropped_and_their_job_is_watched_to_its_end(
    platform: Platform, page: Page, console: str, tmp_path: Path
) -> None:
    platform.collection("console")
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "empty.txt").touch()
    with platform.down(platform.worker):
        page.open(f"{console}/files?collection=console")
        page.drop("[data-drop]", sorted(tmp_path.iterdir()))
        page.wait_for_text("owls.txt · 1 KiB")
        page.click("button[data-sending]")
        page.wait_for("location.pathname.startsWith('/console/jobs/')")
        page.wait_for_text("waiting, number 1 in queue default")
        page.run("window.isTheSame = true")
        platform.provider.script(refuse_containing="poison")
        assert percent(page) < 100
    page.wait_for("document.querySelector('main progress').value === 100")
    page.wait_for_text("completed with errors")
    assert "poison.txt failed" in page.text()
    assert "empty.txt failed invalid the file is empty" in page.text()
    platform.provider.script()
    assert page.run("window.isTheSame")
    assert page.run("document.querySelector('[data-announcer]').textContent") == "completed with errors, 100 percent"

    page.click("#retry")
    page.wait_for("!window.isTheSame && !!document.querySelector('main progress')")
    page.wait_for("document.querySelector('main progress').value === 100")
    assert "poison.txt" not in page.text()
    assert "completed with errors" in page.text()  # the empty file stays what it is
    assert page.complaints == []


def test_a_job_in_the_list_moves_without_reloading(platform: Platform, page: Page, console: str) -> None:
    path = platform.collection("console-list")
    platform.provider.script(always={"delay_s": 1})
    job = platform.ingest(path, [{"text": f"Number {number}."} for number in range(3)])
    page.open(f"{console}/jobs?collection=console-list")
    page.run("window.isTheSame = true")
    page.wait_for(f"document.getElementById('job-{job}').closest('tr').innerText.includes('succeeded')")
    assert page.run("window.isTheSame")
    assert page.run("document.querySelector('[data-unfinished]')") is None


def test_a_search_marks_the_words_it_found(platform: Platform, page: Page, console: str) -> None:
    path = platform.collection("console-search")
    texts = [{"external_id": name, "text": text} for name, text in TEXTS.items()]
    platform.wait(platform.ingest(path, texts))
    page.open(f"{console}/search?collection=console-search")
    page.type("#query", "yeast and bread")
    page.click("button.main")
    page.wait_for("document.querySelectorAll('.hits li').length > 0")
    assert page.run("document.querySelector('.hits h3').innerText").startswith("bread.md")
    assert page.run("[...document.querySelectorAll('.hits li:first-child mark')].map(m => m.textContent)") == [
        "Bread",
        "yeast",
    ]
    assert page.complaints == []


def test_every_page_fits_a_phone_and_none_complains(
    platform: Platform, page: Page, console: str, tmp_path: Path
) -> None:
    path = platform.collection("console-phone")
    job = platform.ingest(path, [{"external_id": "a-long-name/" * 20, "text": "A text."}])
    platform.wait(job)
    search = "search?collection=console-phone&query=text"
    for address in ("jobs", f"jobs/{job}?items=all", "files", search, "queues", "usage"):
        page.open(f"{console}/{address}")
        page.picture(tmp_path / "phone.png", 375, 800, "dark")
        assert page.run("document.documentElement.scrollWidth") <= 375, address
    assert page.complaints == []


def test_signing_out_ends_it(page: Page, console: str) -> None:
    page.click("header form button")
    page.wait_for("location.pathname === '/console/sign-in'")
    page.open(f"{console}/queues")
    page.wait_for_text("API key")
    assert page.run("document.cookie") == ""
