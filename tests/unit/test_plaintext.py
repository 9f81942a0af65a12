"""Decoding text files."""

import pytest

from dbrag.documents.plaintext import decode, decode_html
from dbrag.errors import Invalid


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("naïve".encode(), "naïve"),
        ("naïve".encode("utf-8-sig"), "naïve"),
        ("naïve 🎉".encode("utf-16"), "naïve 🎉"),
        (b"\xfe\xff\0h\0i", "hi"),
        (b"a\0b\r\nc", "ab\r\nc"),
        (b"", ""),
    ],
)
def test_utf_8_and_marked_utf_16_are_read_and_nul_is_left_out(content: bytes, text: str) -> None:
    assert decode(content) == text


@pytest.mark.parametrize(
    ("content", "says"), [(b"na\xefve", "UTF-8 .byte 2."), (b"\xff\xfeh\0i", "UTF-16"), (b"\x80", "UTF-8")]
)
def test_another_encoding_is_refused_with_the_place_and_the_way_out(content: bytes, says: str) -> None:
    with pytest.raises(Invalid, match=f"not valid {says}.*save it as UTF-8") as caught:
        decode(content)
    assert caught.value.code == "unreadable_file"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>é</p>".encode(), "<p>é</p>"),
        (b'<meta charset="iso-8859-2"><p>\xb1</p>', '<meta charset="iso-8859-2"><p>ą</p>'),
        (b"<p>\x80</p>", "<p>€</p>"),
        (b"<meta charset=nonsense><p>\xe9</p>", "<meta charset=nonsense><p>é</p>"),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_names(content: bytes, text: str) -> None:
    assert decode_html(content) == text
