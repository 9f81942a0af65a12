"""What the demo takes for a success."""

from pathlib import Path

from cli_examples import ended

from dbrag.cli.demo import ingest_faults, samples
from dbrag.client.model import Item
from dbrag.jobs.model import ItemStatus

BROKEN = {"samples/broken.pdf", "samples/broken.docx"}


def failed(*names: str) -> list[Item]:
    return [Item(index=index, external_id=name, status=ItemStatus.FAILED) for index, name in enumerate(names)]


def test_exactly_the_broken_samples_may_fail() -> None:
    jobs = [ended("completed_with_errors", total=9, failed=2), ended("succeeded")]
    assert ingest_faults(jobs, failed(*BROKEN), BROKEN) == []


def test_a_good_sample_that_fails_is_a_fault() -> None:
    jobs = [ended("completed_with_errors", total=9, failed=3), ended("succeeded")]
    (fault,) = ingest_faults(jobs, failed(*BROKEN, "samples/good.md"), BROKEN)
    assert "samples/good.md" in fault


def test_a_broken_sample_that_passes_is_a_fault() -> None:
    (fault,) = ingest_faults([ended("succeeded", total=9), ended("succeeded")], [], BROKEN)
    assert "samples/broken.pdf" in fault


def test_a_job_that_fails_as_a_whole_is_a_fault() -> None:
    jobs = [ended("completed_with_errors", total=9, failed=2), ended("failed", failed=1)]
    assert ingest_faults(jobs, failed(*BROKEN), BROKEN) == ["Job 0199 ended failed, not completed_with_errors."]


def test_what_lies_below_the_samples_is_no_document(tmp_path: Path) -> None:
    (tmp_path / "samples" / "databases").mkdir(parents=True)
    (tmp_path / "samples" / "databases" / "shop.sql").touch()
    (tmp_path / "samples" / "elements.txt").touch()
    (tmp_path / "docs").mkdir()
    assert [source.name for source in samples(tmp_path)] == ["samples/elements.txt"]
