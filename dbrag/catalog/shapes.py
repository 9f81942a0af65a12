"""What secret and personal values look like, wherever they stand in a text."""

import math
import re
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address

Judge = Callable[[str], bool]


def mask_text(text: str) -> str:
    """The text with everything that looks secret or personal replaced; the time is linear in its length."""
    for mask, pattern, judge in _SHAPES:
        text = pattern.sub(lambda found, mask=mask, judge=judge: mask if judge(found[0]) else found[0], text)
    return text


def _always(_: str) -> bool:
    return True


def _is_card(found: str) -> bool:
    """Luhn's sum, ISO/IEC 7812-1; 1 and 7 to 9 begin no payment card, but times and other long numbers."""
    digits = [int(digit) for digit in found if digit.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return digits[0] in range(2, 7) and (sum(doubled) + sum(digits[::-2])) % 10 == 0


def _is_iban(found: str) -> bool:
    """ISO 13616: the country and check digits moved to the end, letters as numbers, leave 1 of 97."""
    code = re.sub(r"[ -]", "", found).upper()
    return int("".join(str(int(sign, 36)) for sign in code[4:] + code[:4])) % 97 == 1


def _is_ip(found: str) -> bool:
    try:
        ip_address(found)
    except ValueError:
        return False
    return found != "::"


def _is_phone(found: str) -> bool:
    return 7 <= sum(sign.isdecimal() for sign in found) <= 15  # ITU-T E.164


def _is_random(found: str) -> bool:
    """Long runs of letters and digits without a pattern, as keys are; UUIDs are identifiers, and stay."""
    if _UUID.fullmatch(found):
        return False
    if _HEX.fullmatch(found):
        return True
    kinds = sum(bool(re.search(kind, found)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    shares = [count / len(found) for count in Counter(found).values()]
    return kinds == 3 and -sum(share * math.log2(share) for share in shares) >= MIN_ENTROPY_BITS


MIN_ENTROPY_BITS = 3.5
"""A sign; random base64 of 24 signs has 4.2 and more, English words run together 3.0 to 3.8 but seldom digits."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?=.*[0-9])[0-9a-fA-F]{32,}")

# In this order: what has a mark of its own before what only consists of digits. Every repetition either is bounded or
# cannot match what follows it, so that no value makes them slow.
_SHAPES: list[tuple[str, re.Pattern[str], Judge]] = [
    (mask, re.compile(pattern), judge)
    for mask, pattern, judge in (
        ("<private key>", r"(?s)-----BEGIN [A-Z ]{0,30}PRIVATE KEY.*", _always),
        ("<binary>", r"\\x(?:[0-9a-f]{2}){8,}[0-9a-f]?", _always),
        ("<token>", r"\beyJ[\w-]{8,}(?:\.[\w-]*){0,4}", _always),  # a JWT: {" in base64
        (
            "<token>",
            r"(?<![A-Za-z0-9])(?:"
            r"(?:sk|pk|rk)[-_][\w-]{16,}"  # OpenAI, Anthropic, Stripe
            r"|gh[opsur]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
            r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
            r"|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}"  # Slack
            r"|AIza[\w-]{30,}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{16,}"  # Google
            r"|(?:npm|hf|dbrag)_\w{16,}|SG\.[\w-]{16,}\.[\w-]{16,}|whsec_\w{16,}|pypi-[\w-]{16,}"
            r")",
            _always,
        ),
        (
            "<password hash>",
            r"\$(?:1|5|6|7|2[abxy]?|y|gy|apr1|argon2\w{1,2}|scrypt|pbkdf2[\w-]{0,20})\$[^\s\"';]{8,}"
            r"|\b(?:pbkdf2_\w{1,20}|bcrypt\w{0,10}|argon2)\$[^\s\"';]{8,}|\bSCRAM-SHA-256\$[^\s\"';]{8,}"
            r"|\{(?:SSHA|SHA|MD5|CRYPT|SMD5)\d{0,3}\}[^\s\"';]{8,}",
            _always,
        ),
        ("://<login>@", r"://[^\s/:@]{0,100}:[^\s/@]{1,200}@", _always),
        ("<email>", r"[\w.!#%&'*+=?^`{|}~-]{1,64}@(?:\w[\w-]{0,62}\.){1,8}\w{2,63}", _always),
        ("<iban>", r"\b[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,3})?\b", _is_iban),
        ("<token>", r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_=-]{24,}", _is_random),
        ("<ip>", r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w.])", _is_ip),
        ("<ip>", r"(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])", _is_ip),
        ("<card>", r"(?<![\w.])[0-9](?:[ -]?[0-9]){12,18}(?![\w])", _is_card),
        ("<ssn>", r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])", _always),
        ("<phone>", r"(?<![\w.+])(?:\+|00)[0-9](?:[ ()./-]{0,3}[0-9]){6,14}(?![0-9])", _is_phone),
        ("<phone>", r"(?<![\w.-])(?:1[-. ])?(?:\([0-9]{3}\) ?|[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}(?![\w-])", _is_phone),
        ("<phone>", r"(?<![\w.-])\(?0[0-9]{2,5}\)?(?: ?/ ?| - |[ -])[0-9](?:[ -]?[0-9]){4,9}(?![\w.-])", _is_phone),
    )
]
