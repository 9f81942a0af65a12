"""JSON as the API reads it."""

import pytest

from api.decode import Malformed, decode


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"text": "\xc3\xa9"}', {"text": "é"}),
        (b'\xef\xbb\xbf{"text": "after a byte order mark"}', {"text": "after a byte order mark"}),
        (b'["\\ud83d\\ude00"]', ["😀"]),
        (b'["\\ud800"]', ["\ud800"]),
        (b'["\\u0000"]', ["\0"]),
        (b"1.5e3", 1500.0),
    ],
)
def test_what_json_allows_is_read(body: bytes, value: object) -> None:
    assert decode(body) == value


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{'text': 1}", b"[NaN]", b"[Infinity]", b"[1e999]", b'["\\ud800", 1e999]', b'["\xff"]', b"{} {}"],
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        decode(body)
    assert refused.value.status == 400


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_nested_too_deeply_is_malformed_and_kills_nothing(opening: bytes) -> None:
    with pytest.raises(Malformed, match="nested too deeply"):
        decode(opening * 1_000_000)
