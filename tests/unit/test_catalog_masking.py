"""What is masked of sample rows, and what is not."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbrag.catalog.masking import check, is_hidden, mask
from dbrag.catalog.model import Masking
from dbrag.catalog.shapes import mask_text
from dbrag.errors import Invalid

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.s5cXyZ_-abcdefghijkl"
SECRETS = {
    "bob.o'neil+x@mail.example.co.uk": "<email>",
    "müller@bücher.example": "<email>",
    "4111111111111111": "<card>",
    "5500 0000 0000 0004": "<card>",
    "3400-0000-0000-009": "<card>",
    "DE89 3704 0044 0532 0130 00": "<iban>",
    "GB82WEST12345698765432": "<iban>",
    "+49 171 1234567": "<phone>",
    "+1 (555) 123-4567": "<phone>",
    "(555) 123-4567": "<phone>",
    "555-123-4567": "<phone>",
    "0049 30 123456": "<phone>",
    "0171 1234567": "<phone>",
    "030/1234567": "<phone>",
    "10.1.2.3": "<ip>",
    "2001:db8::ff00:42:8329": "<ip>",
    "123-45-6789": "<ssn>",
    JWT: "<token>",
    "sk-proj-abcdefghijklmnop1234": "<token>",
    "sk_live_abcdefghijklmnop1234": "<token>",
    "ghp_abcdefghijklmnopqrst1234": "<token>",
    "AKIAIOSFODNN7EXAMPLE": "<token>",
    "xoxb-1234567890-abcdefgh": "<token>",
    "AIzaSyA-abcdefghijklmnopqrstuvwxyz1234": "<token>",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "<token>",
    "d41d8cd98f00b204e9800998ecf8427e": "<token>",
    "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW": "<password hash>",
    "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG": "<password hash>",
    "pbkdf2_sha256$260000$abcdefghij$abcdefghijklmnopqrstuvwxyz=": "<password hash>",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA": "<private key>",
}
HARMLESS = [
    "",
    "a plain sentence with 3 numbers: 12, 2026 and 1,234,567.89",
    "2026-11-28",
    "2026-11-28 12:34:56.789012+00",
    "12:34:56",
    "1234567890123",  # milliseconds
    "550e8400-e29b-41d4-a716-446655440000",
    "v1.2.3",
    "10.5",
    "ORD-2026-000123",
    "4111111111111112",  # Luhn's sum is wrong
    "GB82WEST12345698765433",  # so are IBAN's check digits
    "999.1.1.1",
    "2020-2021",
    "1 - 2 - 3",
    "the-quick-brown-fox-jumps-over-the-lazy-dog",
    "image/jpeg; charset=utf-8",
    "{1,2,3}",
    '{"a": [1, 2], "b": null}',
]


@pytest.mark.parametrize("value", SECRETS)
def test_what_looks_secret_is_replaced_by_what_it_looks_like(value: str) -> None:
    assert mask_text(value) == SECRETS[value]


@pytest.mark.parametrize("value", HARMLESS)
def test_what_does_not_is_left(value: str) -> None:
    assert mask_text(value) == value


words = st.lists(st.sampled_from(["order", "Straße", "3", "2026-11-28", "(", ",", "\n", "🦆", "a.b", "%"]), max_size=6)


@given(words, st.sampled_from(sorted(SECRETS)), words)
def test_it_is_found_inside_any_text(before: list[str], secret: str, after: list[str]) -> None:
    masked = mask_text(" ; ".join([*before, f'"{secret}"', *after]))
    assert secret not in masked
    assert SECRETS[secret] in masked


@given(st.text(st.sampled_from("0123456789aAfF.:-+ ()/@$_=eyJ\\x{}é\n"), max_size=120))
@example("0" * 120)
@example("::ffff:1.2.3.4")
def test_any_text_is_masked_without_an_error(text: str) -> None:
    mask_text(text)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1 ",
        "a.",
        "@",
        "0-",
        ":",
        "AB12",
        "$2b$",
        "eyJ",
        "1.1.",
        "-----BEGIN ",
        "(000) ",
        "+1",
        "://a:",
        "a@b.",
        "\\x0",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    start = time.process_time()
    mask_text(text)
    assert time.process_time() - start < 0.5


def hidden(column: str, masking: Masking | None = None) -> bool:
    return is_hidden("public", "people", column, masking or Masking())


@pytest.mark.parametrize(
    "column",
    [
        "password", "user_password", "UserPassword", "PASSWD", "pwd", "passwordHash", "client_secret", "accessToken",
        "API_KEY", "apikey", "api-key", "ssn", "email", "E-Mail", "emailAddress", "phone", "phone_2", "mobile_no",
        "birthdate", "date_of_birth", "dob", "iban", "card_number", "CreditCard", "cvv", "salary", "first_name",
        "LastName", "surname", "address", "address2", "address_line_1", "street", "salt", "pin", "user name",
    ],
)  # fmt: skip
def test_columns_are_hidden_by_their_names(column: str) -> None:
    assert hidden(column)
    assert mask("public", "people", column, "anything", Masking()) == "<masked>"


@pytest.mark.parametrize(
    "column",
    [
        "id", "name", "title", "city", "country", "postal_code", "shipping", "spinning", "created_at", "company_name",
        "product_name", "compass", "bypass_count", "saltwater", "number", "key", "customer_id", "",
    ],
)  # fmt: skip
def test_other_columns_are_not(column: str) -> None:
    assert not hidden(column)


def test_a_policy_hides_more_by_parts_of_names_without_regard_to_case() -> None:
    policy = Masking(columns=["^inter", "Größe$"])
    assert hidden("Internal", policy)
    assert hidden("KÖRPERGRÖSSE", policy) is False
    assert hidden("körpergröße", policy)
    assert not hidden("winter", policy)


@pytest.mark.parametrize("entry", ["email", "people.email", "public.people.email"])
def test_what_a_policy_shows_is_never_masked(entry: str) -> None:
    policy = Masking(columns=["email"], shown=[entry])
    assert not hidden("email", policy)
    assert mask("public", "people", "email", "bob@example.com", policy) == "bob@example.com"
    assert is_hidden("public", "people", "phone", policy)
    assert is_hidden("other", "things", "email", policy) is (entry != "email")


def test_every_wrong_entry_of_a_policy_is_named() -> None:
    policy = Masking(columns=["fine", "(", "(?=x)", r"(a)\1", "", "x" * 201], shown=["ok", ""])
    with pytest.raises(Invalid) as caught:
        check(policy)
    assert [fault.pointer for fault in caught.value.faults] == [
        *(f"/masking/columns/{place}" for place in range(1, 6)),
        "/masking/shown/1",
    ]
    check(Masking(columns=["fine", "(?i)x|y"], shown=["ok"]))


def test_a_policy_has_an_end() -> None:
    with pytest.raises(Invalid) as caught:
        check(Masking(columns=["x"] * 101, shown=["x"] * 1001))
    assert [fault.pointer for fault in caught.value.faults] == ["/masking/columns", "/masking/shown"]


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a?){60}a{60}$", "(a|a)*b", "(.*)*(.*)*(.*)*z", "((a{1,9}){1,9}){1,9}b"]
)
def test_no_pattern_hangs_a_worker(pattern: str) -> None:
    policy = Masking(columns=[pattern])
    start = time.process_time()
    check(policy)
    for length in range(64):
        hidden("a" * length + "!", policy)
    assert time.process_time() - start < 0.5


def test_a_pattern_that_would_take_much_memory_is_refused() -> None:
    with pytest.raises(Invalid):
        check(Masking(columns=[r"((\w{100}){100}){100}"]))
