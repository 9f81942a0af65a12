"""What is known of an interrupted ingestion, whatever line it broke off at."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbrag.cli.journal import Batch, Fingerprint, Journal, Known, path_of, read
from dbrag.cli.resume import load, plan
from dbrag.cli.sources import Source
from dbrag.jobs.model import Queue

ABOUT = {"api": "http://127.0.0.1:1", "collection": "docs", "made_at": "2026-11-28T12:00:00+00:00"}
ONE = Fingerprint(3, 1, "a" * 64)
TWO = Fingerprint(4, 2, "b" * 64)
FIRST = Batch("key-1", "low", {"a.txt": ONE, "b.txt": TWO})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return path_of(tmp_path, "http://127.0.0.1:1", "docs")


def source(folder: Path, name: str, text: str) -> Source:
    path = folder / name
    path.write_text(text)
    stat = path.stat()
    return Source(name, path, stat.st_size, stat.st_mtime_ns)


def test_what_was_accepted_is_known_by_the_next_run(path: Path) -> None:
    with Journal.open(path, ABOUT, again=False) as journal:
        journal.sent(FIRST)
        assert (list(journal.known.in_flight), journal.known.accepted) == (["key-1"], {})
        journal.accepted("key-1", "job-1")
    known = read(path, ABOUT)
    assert known == journal.known == Known({"a.txt": ONE, "b.txt": TWO}, ["job-1"], {})


def test_a_batch_is_in_flight_until_its_answer_was_written_down(path: Path) -> None:
    with Journal.open(path, ABOUT, again=False) as journal:
        journal.sent(FIRST)
    assert read(path, ABOUT).in_flight == {"key-1": FIRST}
    with Journal.open(path, ABOUT, again=False) as journal:
        journal.refused("key-1")
    assert read(path, ABOUT) == Known()


def test_files_that_failed_are_to_be_sent_again(path: Path) -> None:
    with Journal.open(path, ABOUT, again=False) as journal:
        journal.sent(FIRST)
        journal.accepted("key-1", "job-1")
        journal.ended("job-1", ["b.txt", "None"])
        journal.ended("job-1", ["a.txt"])  # known already
    assert read(path, ABOUT) == Known({"a.txt": ONE}, [], {})


def test_a_batch_is_overtaken_by_a_later_one_with_one_of_its_files(path: Path) -> None:
    with Journal.open(path, ABOUT, again=False) as journal:
        journal.sent(FIRST)
        journal.sent(Batch("key-2", "low", {"b.txt": ONE}))
    assert list(read(path, ABOUT).in_flight) == ["key-2"]


@pytest.mark.parametrize("part", list(ABOUT))
def test_another_collection_of_that_name_is_begun_anew(path: Path, part: str) -> None:
    for about in (ABOUT, ABOUT | {part: "another"}):
        with Journal.open(path, about, again=False) as journal:
            assert journal.known == Known()
            journal.sent(FIRST)
    assert read(path, ABOUT) == Known()


def test_again_forgets(path: Path) -> None:
    with Journal.open(path, ABOUT, again=False) as journal:
        journal.sent(FIRST)
    with Journal.open(path, ABOUT, again=True) as journal:
        assert journal.known == Known()
    assert read(path, ABOUT) == Known()


@settings(deadline=None)  # each line is an fsync
@given(st.data())
def test_a_file_that_breaks_off_anywhere_is_what_its_whole_lines_say(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = path_of(tmp_path_factory.mktemp("journal"), "api", "docs")
    with Journal.open(path, ABOUT, again=False) as journal:
        journal.sent(FIRST)
        journal.accepted("key-1", "job-1")
        journal.ended("job-1", ["b.txt"])
    whole = path.read_bytes()
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    path.write_bytes(cut)
    known = Known()
    for line in cut.split(b"\n")[1:-1]:
        known.learn(json.loads(line))
    assert read(path, ABOUT) == known
    with Journal.open(path, ABOUT, again=False) as journal:
        assert journal.known == known
        journal.sent(Batch("key-3", "low", {"c.txt": ONE}))
    assert read(path, ABOUT) == journal.known


def test_what_cannot_be_read_is_not_taken_for_sent(path: Path) -> None:
    with Journal.open(path, ABOUT, again=False) as journal:
        journal.sent(FIRST)
    with path.open("ab") as file:
        file.write(b"\0\0\0\n" + json.dumps({"accepted": "key-1", "job": "job-1"}).encode() + b"\n")
    assert read(path, ABOUT) == journal.known


def test_the_journal_is_no_part_of_a_checkout(path: Path) -> None:
    Journal.open(path, ABOUT, again=False).__exit__()
    assert (path.parent / ".gitignore").read_text() == "*\n"


def test_only_what_is_new_or_has_changed_is_planned(tmp_path: Path) -> None:
    texts = {"same.txt": "one", "touched.txt": "two", "changed.txt": "three", "longer.txt": "four"}
    sources = [source(tmp_path, name, text) for name, text in texts.items()]
    batch, _ = load(sources, Queue.DEFAULT)
    known = Known(accepted=dict(batch.files))
    later = [
        sources[0],
        Source("touched.txt", sources[1].path, 3, sources[1].mtime_ns + 1),
        source(tmp_path, "changed.txt", "tree!"),
        source(tmp_path, "longer.txt", "four more"),
        source(tmp_path, "new.txt", "five"),
    ]
    assert later[2].mtime_ns != sources[2].mtime_ns
    left = plan(later, known)
    assert [one.name for one in left.files] == ["changed.txt", "longer.txt", "new.txt"]
    assert (left.before, left.left, left.interrupted) == (2, 3, [])


def test_an_interrupted_batch_is_sent_as_it_was_unless_a_file_has_changed(tmp_path: Path) -> None:
    sources = [source(tmp_path, name, name) for name in ("a.txt", "b.txt", "c.txt")]
    batch, files = load(sources[:2], Queue.LOW)
    known = Known(in_flight={batch.key: batch})
    left = plan(sources, known)
    assert left.interrupted == [(batch, sources[:2])]
    assert (left.files, left.left) == ([sources[2]], 3)
    assert load(left.interrupted[0][1], Queue(batch.queue), batch.key) == (batch, files)
    changed = [source(tmp_path, "a.txt", "other"), *sources[1:]]
    assert plan(changed, known).interrupted == plan(sources[1:], known).interrupted == []
    assert len(plan(changed, known).files) == 3
