"""Times as people type them."""

import re
from datetime import UTC, datetime, timedelta

from dbrag.errors import Invalid

_AGE = re.compile(r"(\d{1,6})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def instant(text: str, now: datetime) -> datetime:
    """`2h` is two hours before `now` (aware; also s, m, d); a date or time without a zone is UTC. Raises: Invalid."""
    if (age := _age(text)) is not None:
        return now - age
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise Invalid(f"{text!r} is no time: give an age such as 90s, 30m, 2h, 7d, or 2026-11-21T08:00:00Z") from exc
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def duration(text: str) -> timedelta:
    """`7d` is seven days (also s, m, h). Raises: Invalid."""
    found = _age(text)
    if found is None:
        raise Invalid(f"{text!r} is no duration: give one such as 90s, 30m, 2h or 7d")
    return found


def _age(text: str) -> timedelta | None:
    age = _AGE.fullmatch(text.strip())
    return timedelta(**{_UNITS[age[2]]: int(age[1])}) if age else None
