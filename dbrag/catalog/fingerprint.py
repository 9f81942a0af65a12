"""What a table is like, as 32 bytes: as long as they are the same, nothing has to be described again."""

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from dbrag.catalog.model import Table


def fingerprint(table: Table, *extra: str) -> bytes:
    """SHA-256 of the table's structure and of `extra`: who describes it, and under which masking policy.

    Neither the oid nor the row estimate counts, nor how many partitions there are once there is one: these change
    with every load. The order of columns counts; that of indexes and keys does not.
    """
    structure: dict[str, Any] = asdict(table) | {"partitions": table.partitions > 0}
    for name in ("oid", "row_estimate"):
        del structure[name]
    for name in ("unique_keys", "foreign_keys", "indexes"):
        structure[name] = sorted(structure[name], key=_text)
    return sha256(_text([structure, extra]).encode()).digest()


def _text(value: Any) -> str:
    # ASCII only, so that no name has a form that cannot be encoded.
    return json.dumps(value, sort_keys=True, ensure_ascii=True)
