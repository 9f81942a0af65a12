"""From the items of a batch to submissions and refusals."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.decode import Malformed
from api.inputs import DocumentInput, TextInput
from api.items import MAX_ITEMS, checked_batch, decoded, from_values, is_too_large
from dbrag.documents.model import Refusal, Submission
from dbrag.errors import Invalid

GOOD = {"external_id": "a/b c.txt", "title": "A title", "text": "Some text.", "metadata": {"year": 1999}}
MEBIBYTE = 1 << 20


def items_of(*values: Any, model: type[TextInput] = DocumentInput) -> list[Submission | Refusal]:
    return list(from_values(values, model, MEBIBYTE))


def test_a_good_item_is_submitted_as_it_was_sent() -> None:
    assert items_of(GOOD) == [
        Submission(external_id="a/b c.txt", text="Some text.", title="A title", metadata={"year": 1999})
    ]


def test_items_without_an_external_id_get_different_ones() -> None:
    first, second = items_of({"text": "One."}, {"text": "Two."})
    assert first.external_id
    assert first.external_id != second.external_id


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"text": " \n\t"}, "/text"),
        ({"text": ""}, "/text"),
        ({"text": None}, "/text"),
        ({"text": 5}, "/text"),
        ({"text": "a\0b"}, "/text"),
        ({"text": "a\ud800b"}, "/text"),
        ({"external_id": "x" * 513}, "/external_id"),
        ({"external_id": ""}, "/external_id"),
        ({"external_id": 7}, "/external_id"),
        ({"external_id": "a\0"}, "/external_id"),
        ({"external_id": "\udfff"}, "/external_id"),
        ({"title": ["A", "title"]}, "/title"),
        ({"title": "a\0"}, "/title"),
        ({"metadata": None}, "/metadata"),
        ({"metadata": [1]}, "/metadata"),
        ({"metadata": {"a": "x" * 65_536}}, "/metadata"),
        ({"metadata": {"a": {"b": "\0"}}}, "/metadata"),
        ({"metadata": {"\0": 1}}, "/metadata"),
        ({"metadata": {"a": "\ud800"}}, "/metadata"),
        ({"txet": "misspelt"}, "/txet"),
        ({"a/b~c": 1}, "/a~1b~0c"),
    ],
)
def test_a_bad_item_is_refused_with_the_place_of_the_fault(wrong: dict[str, Any], pointer: str) -> None:
    [refusal] = items_of(GOOD | wrong)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "invalid"
    assert refusal.detail.startswith(f"{pointer} ")
    assert refusal.external_id == (None if "external_id" in wrong else GOOD["external_id"])


@pytest.mark.parametrize("value", [None, 1, "text", ["text"]])
def test_an_item_that_is_no_object_is_refused(value: Any) -> None:
    [refusal] = items_of(value)
    assert refusal == Refusal(None, "invalid", "must be a JSON object")


def test_metadata_that_only_look_like_a_nul_are_accepted() -> None:
    [item] = items_of(GOOD | {"metadata": {"path": "C:\\u0000"}})
    assert isinstance(item, Submission)


def test_metadata_nested_too_deeply_are_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(300):
        nested = {"a": nested}
    [refusal] = items_of(GOOD | {"metadata": nested})
    assert isinstance(refusal, Refusal)


def test_a_text_over_the_limit_is_refused_as_too_large() -> None:
    limit, over = items_of({"text": "é" * (MEBIBYTE // 2)}, {"external_id": "big", "text": "é" * (MEBIBYTE // 2) + "e"})
    assert isinstance(limit, Submission)
    assert over == Refusal("big", "too_large", "the text is larger than 1 MiB: split it")


@given(st.text(st.characters(codec="utf-8")), st.integers(0, 30))
def test_size_is_counted_in_bytes(text: str, max_bytes: int) -> None:
    assert is_too_large(text, max_bytes) == (len(text.encode()) > max_bytes)


def test_ready_made_texts_have_no_title() -> None:
    [refusal] = items_of(GOOD, model=TextInput)
    assert isinstance(refusal, Refusal)
    assert refusal.detail.startswith("/title ")


def test_a_line_that_is_not_json_keeps_its_place_among_the_items() -> None:
    lines = b'{"text": "one"}\r\n\n{"text": \n{"text": "three"}\n'.split(b"\n")
    values = list(decoded(lines, MEBIBYTE))
    assert values[0] == {"text": "one"}
    assert isinstance(values[1], Malformed)
    assert values[1].detail.startswith("line 3: ")
    assert values[2] == {"text": "three"}
    assert items_of(values[1]) == [Refusal(None, "malformed", values[1].detail)]


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(Invalid, match="empty"):
        checked_batch([])


def test_a_batch_may_have_2000_items_and_no_more() -> None:
    full = [Submission(external_id=str(number), text="t") for number in range(MAX_ITEMS)]
    assert checked_batch(full) == full
    with pytest.raises(Invalid, match="2,000"):
        checked_batch([*full, Submission(external_id="one more", text="t")])


def test_an_external_id_that_comes_twice_is_named_with_its_place() -> None:
    twice = [Submission("a", text="t"), Refusal("b", "invalid", "/text is required"), Submission("b", text="t")]
    with pytest.raises(Invalid) as refused:
        checked_batch(twice)
    assert [fault.pointer for fault in refused.value.faults] == ["/2/external_id"]


def test_many_items_without_external_id_are_no_repetition() -> None:
    nameless = [Refusal(None, "malformed", "line 1"), Refusal(None, "malformed", "line 2")]
    assert checked_batch(nameless) == nameless
