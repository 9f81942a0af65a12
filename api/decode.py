"""JSON as it comes in: any value that JSON allows, and a plain reason for what is not JSON."""

import json
import math
from typing import Any, NoReturn

import orjson

from dbrag.errors import Permanent


class Malformed(Permanent):
    """The body is not what its Content-Type says."""

    code = "malformed"
    status = 400


def decode(data: bytes) -> Any:
    """The value in `data` (UTF-8, with or without a byte order mark).

    Raises: Malformed where it is not JSON, or is nested deeper than some 1,000 levels.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        return _decode_slowly(data, exc)


def _decode_slowly(data: bytes, first: Exception) -> Any:
    """Reads what orjson refuses but JSON allows: a byte order mark, half a surrogate pair (it is a field's fault)."""
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse, parse_float=_finite)
    except RecursionError as exc:
        raise Malformed("this JSON is nested too deeply") from exc
    except ValueError as exc:
        raise Malformed(f"this is not JSON: {first}") from exc


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is too large for a number")
    return number
