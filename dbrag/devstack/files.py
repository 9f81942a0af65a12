"""Small private files in a stack's folder, replaced at once."""

import json
import os
import secrets
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Replace the file (a reader sees the old text or the new one, never a part); only its owner may read it."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    new.replace(file)


def read_secrets(folder: Path) -> dict[str, str]:
    """The passwords and keys of this folder, by name."""
    file = folder / "secrets.json"
    return json.loads(file.read_text()) if file.exists() else {}


def write_secret(folder: Path, name: str, value: str) -> str:
    """Keep `value`, and return it."""
    write_private(folder / "secrets.json", json.dumps(read_secrets(folder) | {name: value}))
    return value


def password(folder: Path) -> str:
    """The password of this folder's servers, made once."""
    return read_secrets(folder).get("password") or write_secret(folder, "password", secrets.token_urlsafe(24))
