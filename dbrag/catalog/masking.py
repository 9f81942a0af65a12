"""Sample values that look secret or personal, replaced by what they look like: `<email>`, `<card>`, `<masked>`.

Two nets: names of columns, whose values do not leave the server, and shapes of values, also inside longer texts. Both
err towards masking: a masked identifier costs a description little, and `Masking.shown` shows it again.
"""

import re
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, core_schema

from dbrag.catalog.model import Masking
from dbrag.catalog.shapes import mask_text
from dbrag.errors import Fault, Invalid

MOST_COLUMNS, MOST_SHOWN, MOST_CHARACTERS = 100, 1000, 200
HIDDEN = "<masked>"

# Anywhere in a name, so that `userpassword` and `emailaddress` are found.
_PARTS = (
    "password|passwd|passphrase|passwort|secret|token|api_?key|credential|"
    "e_?mail|phone|mobile|birth|iban|salary|passport|ssn|social_security"
)
# Whole words of a name (`pin`, not `shipping`); of an address what leads to a door, not city, postcode and country.
_WORDS = (
    "pwd|pass|salt|otp|totp|cvv|cvc|pin|pan|(?:access|private|auth|encryption|session)_?key|session_id|cookie|"
    "(?:card|credit_card|cc|account|tax|license|licence|national)_?(?:id|no|number|num)|credit_?card|vat_id|"
    "tel|telephone|fax|cell|dob|wage|wages|income|"
    "address|addr|street|(?:address|addr)_?(?:line)?_?\\d|"
    "(?:first|last|middle|full|maiden|given|family)_?name|surname|user_?name|login"
)
_NAMES = re.compile(f"(?:{_PARTS})|(?:^|_)(?:{_WORDS})(?:_|$)")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def check(masking: Masking) -> None:
    """Raises: Invalid, with a fault for each entry of the policy that cannot be used."""
    faults = [
        Fault(f"/masking/columns/{place}", detail)
        for place, pattern in enumerate(masking.columns)
        if (detail := _wrong_pattern(pattern))
    ]
    faults += [
        Fault(f"/masking/shown/{place}", f"It must have 1 to {MOST_CHARACTERS} characters.")
        for place, name in enumerate(masking.shown)
        if not 0 < len(name) <= MOST_CHARACTERS
    ]
    for name, entries, most in (("columns", masking.columns, MOST_COLUMNS), ("shown", masking.shown, MOST_SHOWN)):
        if len(entries) > most:
            faults.append(Fault(f"/masking/{name}", f"There must not be more than {most}."))
    if faults:
        raise Invalid("The masking policy cannot be used.", faults=tuple(faults))


def is_shown(schema: str, table: str, column: str, masking: Masking) -> bool:
    """Whether the policy says that this column is never masked."""
    return not {column, f"{table}.{column}", f"{schema}.{table}.{column}"}.isdisjoint(masking.shown)


def is_hidden(schema: str, table: str, column: str, masking: Masking) -> bool:
    """Whether nothing of this column is to leave its server."""
    if is_shown(schema, table, column, masking):
        return False
    name = re.sub(r"\W+", "_", _HUMP.sub("_", column)).lower()
    return bool(_NAMES.search(name)) or any(_matches(pattern, column) for pattern in masking.columns)


def mask(schema: str, table: str, column: str, value: str, masking: Masking) -> str:
    """A value as it may be seen."""
    if is_shown(schema, table, column, masking):
        return value
    return HIDDEN if is_hidden(schema, table, column, masking) else mask_text(value)


def _matches(pattern: str, column: str) -> bool:
    return _compiled(pattern).isinstance_python(column)


def _wrong_pattern(pattern: str) -> str | None:
    if not 0 < len(pattern) <= MOST_CHARACTERS:
        return f"It must have 1 to {MOST_CHARACTERS} characters."
    try:
        _compiled(pattern)
    except (SchemaError, UnicodeError):
        return "It is no regular expression of Rust's regex crate, which has neither look-around nor back-references."
    return None


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> SchemaValidator:
    """Rust's regex crate, by way of pydantic: its time is linear, so no pattern of a user can hang a worker."""
    # Python's `re` takes (a?){30}a{30} for hours, and `re2` would be one more wheel.
    return SchemaValidator(core_schema.str_schema(pattern=f"(?i){pattern}", regex_engine="rust-regex"))
