"""A hash of whatever a table's description depends on: the same as long as there is nothing new to say."""

from hashlib import sha256
from typing import Any

import orjson
from pydantic import TypeAdapter

from dbrag.catalog.model import Table

# Count it up when tables begin to be read differently: all are described again then.
VERSION = 1
_TABLE = TypeAdapter(Table)


def fingerprint(table: Table, *extra: str) -> bytes:
    """32 bytes of SHA-256 over the structure of a table, and over `extra`: who describes it, and from what.

    Not over its oid, its statistics, or how many partitions it has. The order of columns counts, that of keys and
    indexes does not.
    """
    structure: dict[str, Any] = _TABLE.dump_python(table, mode="json")
    del structure["oid"], structure["row_estimate"]
    structure["partitions"] = bool(table.partitions)
    for name in ("unique_keys", "foreign_keys", "indexes"):
        structure[name] = sorted(structure[name], key=lambda entry: orjson.dumps(entry, option=orjson.OPT_SORT_KEYS))
    written = orjson.dumps([VERSION, structure, extra], option=orjson.OPT_SORT_KEYS)
    return sha256(written).digest()
