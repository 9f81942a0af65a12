"""Which files are sent, under which names, in which batches."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.cli.sources import Source, batches, find
from dbrag.errors import Permanent


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.md", "sub/b.txt", "sub/deep/c.txt", ".hidden/d.txt", "sub/.e.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


def names(sources: list[Source]) -> list[str]:
    return [source.name for source in sources]


def test_a_folder_gives_its_visible_files_named_from_the_base(tree: Path) -> None:
    assert names(find([str(tree)], recursive=True, base=tree)) == ["a.md", "sub/b.txt", "sub/deep/c.txt"]


def test_without_recursion_only_the_folders_own_files_are_taken(tree: Path) -> None:
    assert names(find([str(tree / "sub")], recursive=False, base=tree)) == ["sub/b.txt"]


def test_what_lies_outside_the_base_is_named_from_the_arguments_last_part_on(tree: Path, elsewhere: Path) -> None:
    found = find([str(tree / "a.md"), str(tree / "sub")], recursive=True, base=elsewhere)
    assert names(found) == ["a.md", "sub/b.txt", "sub/deep/c.txt"]


def test_globs_are_expanded_and_a_file_named_twice_is_sent_once(tree: Path) -> None:
    found = find([f"{tree}/**/*.txt", f"{tree}/sub/b.txt"], recursive=True, base=tree)
    assert names(found) == ["sub/b.txt", "sub/deep/c.txt"]


def test_a_hidden_file_is_taken_when_it_is_named(tree: Path) -> None:
    assert names(find([f"{tree}/sub/.e.txt"], recursive=True, base=tree)) == ["sub/.e.txt"]


def test_sizes_are_those_of_the_files(tree: Path) -> None:
    assert [source.size for source in find([f"{tree}/a.md"], recursive=True, base=tree)] == [len("a.md")]


def test_a_path_that_leads_nowhere_is_named_in_the_error(tree: Path) -> None:
    with pytest.raises(Permanent, match=r"nowhere\.pdf is neither"):
        find([f"{tree}/nowhere.pdf"], recursive=True, base=tree)


def test_an_empty_folder_is_an_error_and_not_a_success(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="No files"):
        find([str(tmp_path)], recursive=True, base=tmp_path)


def test_two_files_that_would_get_one_name_are_refused(tree: Path, elsewhere: Path) -> None:
    other = elsewhere / "a.md"
    other.write_text("another text")
    with pytest.raises(Permanent, match=r"would both be named a\.md"):
        find([str(tree / "a.md"), str(other)], recursive=True, base=elsewhere / "inside")


def test_a_file_that_went_away_is_reported_with_its_path(tree: Path) -> None:
    (source,) = find([f"{tree}/a.md"], recursive=True, base=tree)
    source.path.unlink()
    with pytest.raises(Permanent, match=r"a\.md cannot be read"):
        source.read()


@given(st.lists(st.integers(0, 50)), st.integers(1, 7), st.integers(1, 60))
def test_batches_keep_order_and_both_limits(sizes: list[int], max_files: int, max_bytes: int) -> None:
    sources = [Source(str(index), Path(str(index)), size) for index, size in enumerate(sizes)]
    cut = list(batches(sources, max_files=max_files, max_bytes=max_bytes))
    assert [source for batch in cut for source in batch] == sources
    for batch in cut:
        assert 1 <= len(batch) <= max_files
        assert len(batch) == 1 or sum(source.size for source in batch) <= max_bytes


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 7), st.integers(1, 60))
def test_no_batch_could_have_taken_the_next_ones_first_file(sizes: list[int], max_files: int, max_bytes: int) -> None:
    sources = [Source(str(index), Path(str(index)), size) for index, size in enumerate(sizes)]
    cut = list(batches(sources, max_files=max_files, max_bytes=max_bytes))
    for batch, following in pairwise(cut):
        size = sum(source.size for source in batch) + following[0].size
        assert len(batch) == max_files or size > max_bytes
