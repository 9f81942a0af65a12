"""What of sample rows nobody is to see: values that look secret or personal, and columns whose name says that they are."""

import math
import re
from collections import Counter
from collections.abc import Mapping

import orjson
from pydantic import TypeAdapter

from dbrag.catalog.model import Masking, Row
from dbrag.errors import Fault, Invalid

MASK = "<masked>"
# Words of a column's name; with their neighbours written together, such as `apikey`.
_SECRET = {
    "password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "credential", "credentials", "salt", "hash",
    "otp", "pin", "cvv", "cvc", "privatekey", "accesskey", "signature", "session", "cookie", "auth",
}  # fmt: skip
_PERSONAL = {
    "email", "mail", "phone", "telephone", "mobile", "fax", "ssn", "socialsecurity", "passport", "nationalid", "taxid",
    "iban", "bic", "cardnumber", "creditcard", "pan", "birth", "birthday", "birthdate", "dob", "salary", "wage",
    "firstname", "lastname", "surname", "fullname", "forename", "maidenname", "street", "address", "postcode", "zip",
    "zipcode", "postalcode", "latitude", "longitude", "ip", "ipaddress", "gender", "religion", "ethnicity", "diagnosis",
}  # fmt: skip
NAMES = _SECRET | _PERSONAL
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

# In the order in which they are looked for: what is more telling first.
_SHAPES: list[tuple[str, re.Pattern[str]]] = [
    ("<private key>", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*", re.DOTALL)),
    ("<password hash>", re.compile(r"\$(?:2[abxy]?|argon2\w{1,2}|[156]|y|scrypt|pbkdf2[\w-]{0,20})\$[^\s]{8,}")),
    ("<token>", re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?")),
    ("<token>", re.compile(r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{12,}")),
    (
        "<token>",
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{8,})"),
    ),
    ("<token>", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{10,}|\bdbrag_\w{10,}")),
    ("<url with a password>", re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,100}:[^\s/@]{1,100}@[^\s]*")),
    ("<email>", re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")),
    ("<iban>", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")),
    ("<ssn>", re.compile(r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b")),
    ("<ip>", re.compile(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b(?![.\d])")),
    (
        "<ip>",
        re.compile(
            r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}:?[0-9a-fA-F]{1,4}(?![\w:])|(?<![\w:])[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?(?![\w:])"
        ),
    ),
    (
        "<phone>",
        re.compile(r"(?<![\w.])(?:\+|00)\d{1,3}[\s./-]?(?:\(\d{1,5}\)[\s./-]?)?\d{2,5}(?:[\s./-]?\d{2,5}){1,4}(?!\w)"),
    ),
    ("<phone>", re.compile(r"(?<![\w.])\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}(?!\w)")),
]
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
# Bits a character: random hexadecimal has some 3.7, base64 5 or more, words of a language less than 3.6 in 20 characters.
ENTROPY_HEX, ENTROPY = 3.0, 3.8
# A column's name has 63 bytes at most, so that only nested repetitions could keep a pattern busy for long.
PATTERN_CHARS = 200
_NESTED = re.compile(r"[*+}]\)*[*+{]|\([^)]*[*+{][^)]*\)[*+{]|\\[1-9]|\(\?P=")


def mask_row(row: Row, table: str, masking: Masking) -> Row:
    """The row (values by column) as it may be seen; `table` is `schema.table`."""
    return {column: mask(value, table, column, masking) for column, value in row.items()}


def mask(value: str | None, table: str, column: str, masking: Masking) -> str | None:
    """One value as it may be seen."""
    if value is None or _is_shown(table, column, masking.shown):
        return value
    masked = mask_value(value)
    if masked == value and _is_hidden(column, masking.columns):
        return MASK
    return masked


def mask_value(value: str) -> str:
    """What looks secret or personal in a value, replaced by what it looks like; the rest as it is."""
    for name, shape in _SHAPES:
        value = shape.sub(name, value)
    value = _CARD.sub(lambda found: "<card>" if _is_card(found[0]) else found[0], value)
    return _LONG.sub(lambda found: "<token>" if _is_random(found[0]) else found[0], value)


def is_hidden(column: str) -> bool:
    """Whether a column's name says that its values are nobody's business."""
    words = [word.lower() for word in _WORDS.findall(column)]
    pairs = {first + second for first, second in zip(words, words[1:], strict=False)}
    return bool(NAMES & {*words, *pairs})


def check(masking: Masking) -> None:
    """Raises: Invalid for a pattern that is none, or that might keep a worker busy."""
    faults: list[Fault] = []
    for index, pattern in enumerate(masking.columns):
        problem = _problem(pattern)
        if problem:
            faults.append(Fault(f"/masking/columns/{index}", problem))
    if faults:
        raise Invalid("a pattern for columns cannot be used", faults=tuple(faults))


def policy(masking: Masking) -> str:
    """What the fingerprint of a table has of it."""
    return orjson.dumps(TypeAdapter(Masking).dump_python(masking), option=orjson.OPT_SORT_KEYS).decode()


def _problem(pattern: str) -> str | None:
    if len(pattern) > PATTERN_CHARS:
        return f"must not be longer than {PATTERN_CHARS} characters"
    if _NESTED.search(pattern):
        return "must not repeat what repeats itself, nor refer back"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as exc:
        return f"is no regular expression: {exc}"
    return None


def _is_shown(table: str, column: str, shown: list[str]) -> bool:
    name = table.partition(".")[2]
    return bool({f"{table}.{column}", f"{name}.{column}", column} & set(shown))


def _is_hidden(column: str, patterns: list[str]) -> bool:
    return is_hidden(column) or any(re.search(pattern, column, re.IGNORECASE) for pattern in patterns)


def _is_card(text: str) -> bool:
    """Luhn's sum, as all payment cards have it."""
    digits = [int(digit) for digit in text if digit.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _is_random(text: str) -> bool:
    """Long, and as mixed as only chance makes it."""
    if re.fullmatch(r"[0-9a-fA-F]+", text):
        return not text.isdigit() and _entropy(text.lower()) > ENTROPY_HEX
    has_all = re.search(r"\d", text) and re.search(r"[A-Za-z]", text)
    return bool(has_all) and _entropy(text) > ENTROPY and not re.fullmatch(r"[a-z]+(?:[-_][a-z0-9]+)+", text)


def _entropy(text: str) -> float:
    counts: Mapping[str, int] = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
