"""The headings of a text, and what stands above a chunk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrag.documents.outline import Heading, headings, places
from dbrag.documents.split import split


@pytest.mark.parametrize(
    ("line", "level", "title"),
    [
        ("# One", 1, "One"),
        ("###### Six ######", 6, "Six"),
        ("  ## Indented", 2, "Indented"),
        ("## **Bold** and `code`", 2, "Bold and code"),
        ("# A [link](https://example.com)", 1, "A link"),
        ("# C# and snake_case", 1, "C# and snake_case"),
        ("# 标题 😀", 1, "标题 😀"),
        ("#\ttab", 1, "tab"),
        ("Underlined\n===", 1, "Underlined"),
        ("Underlined\n-", 2, "Underlined"),
    ],
)
def test_a_heading_is_known_by_its_marks(line: str, level: int, title: str) -> None:
    text = f"Some text é.\n\n{line}\n\nMore.\n"
    assert headings(text) == [Heading(14, level, title)]


@pytest.mark.parametrize(
    "text",
    [
        "#no space",
        "####### seven",
        "    # code",
        "```\n# a comment\n```\n",
        "~~~\n# a comment\n```\n# another\n~~~",
        "a line of\na paragraph\n---",
        "- a list\n---",
        "\n---\n",
        "---\ntitle: front matter\n---\n",
        "| a |\n|---|",
        "",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text: str) -> None:
    assert headings(text) == []


def test_a_heading_may_be_the_last_line_and_windows_may_have_written_it() -> None:
    assert [heading.title for heading in headings("# One\r\n\r\ntext\r\n\r\nTwo\r\n===\r\n## Last")] == [
        "One",
        "Two",
        "Last",
    ]


def test_a_long_heading_is_cut_and_costs_no_time() -> None:
    [heading] = headings("# " + "#" * 1_000_000 + "[" * 1_000_000 + "x")
    assert len(heading.title) <= 200


TEXT = "before\n# A\na\n## B\nb\n### C\nc\n## D\nd\n# E\ne"


def test_a_chunk_has_the_path_of_headings_above_its_start() -> None:
    paths = {
        TEXT[start]: place.headings
        for start, place in zip(range(len(TEXT)), places(range(len(TEXT)), headings(TEXT), []), strict=True)
    }
    assert paths["f"] == []
    assert paths["a"] == ["A"]
    assert paths["b"] == ["A", "B"]
    assert paths["c"] == ["A", "B", "C"]
    assert paths["d"] == ["A", "D"]
    assert paths["e"] == ["E"]


def test_a_heading_stands_above_the_chunk_that_begins_with_it() -> None:
    [place] = places([TEXT.index("## B")], headings(TEXT), [])
    assert place.headings == ["A", "B"]


def test_a_chunk_is_on_the_page_where_it_begins() -> None:
    assert [place.page for place in places([0, 9, 10, 30, 99], [], [0, 10, 30, 30])] == [1, 1, 2, 4, 4]
    assert [place.page for place in places([0, 5], [], [3])] == [1, 1]
    assert [place.page for place in places([0], [], [])] == [None]


@given(st.text(st.sampled_from("#a \n-=`~>|é"), max_size=200))
def test_every_heading_is_where_it_is_said_to_be(text: str) -> None:
    found = headings(text)
    assert [heading.start for heading in found] == sorted({heading.start for heading in found})
    for heading in found:
        assert heading.start == 0 or text[heading.start - 1] == "\n"
        assert heading.title in text.replace("`", "")


def sections(*words: int) -> str:
    return "\n\n".join(f"# Section {number}\n\n" + f"Word{number} " * count for number, count in enumerate(words))


def test_a_chunk_does_not_reach_over_two_sections_that_do_not_fit_together() -> None:
    text = sections(60, 60, 60)
    parts = [text[span.start : span.end] for span in split(text, 200, 0, markdown=True)]
    assert [part.split("\n")[0] for part in parts] == ["# Section 0", "# Section 1", "# Section 2"]
