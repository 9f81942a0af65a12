"""Where things are: the API and its key, or the servers' settings, from options, environment or a running stack."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dbrag.errors import Permanent
from dbrag.settings import Settings

STACK_FILE = Path(".dbrag", "stack.json")
FROM_STACK = {
    "DATABASE_URL": "database_url",
    "CELERY_BROKER_URL": "broker_url",
    "CACHE_URL": "cache_url",
    "OPENAI_BASE_URL": "embeddings",
}


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of an API, and the key to use there."""

    api: str
    key: str


def find_stack(folder: Path) -> dict[str, Any] | None:
    """The addresses of the stack that `make up` started in `folder` or the nearest parent, None if there is none."""
    for place in (folder, *folder.parents):
        path = place / STACK_FILE
        try:
            return json.loads(path.read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as exc:
            raise Permanent(
                f"{path} cannot be read ({exc}). Stop the stack, delete the file and run `make up`."
            ) from exc
    return None


def find_address(api: str | None, key: str | None, folder: Path) -> Address:
    """The API to talk to. A stack's key is only ever sent to that stack. Raises Permanent where a part is missing."""
    stack = find_stack(folder) or {}
    api = api or stack.get("api")
    if not api:
        raise Permanent("No API address. Start a stack here with `make up`, or set DBRAG_API_URL (or --api).")
    if not key and api == stack.get("api"):
        key = stack.get("api_key")
    if not key:
        raise Permanent(f"No API key for {api}. Set DBRAG_API_KEY (or --key); `dbrag keys create` makes one.")
    return Address(api.rstrip("/"), key)


def load_settings(folder: Path) -> Settings:
    """The settings of the environment; servers it does not name are those of the running stack.

    Raises Permanent, naming each variable that is missing or wrong.
    """
    stack = find_stack(folder) or {}
    if "DATABASE_URL" in os.environ or "CELERY_BROKER_URL" in os.environ:
        stack = {}  # a mixture of two installations would be worse than a missing address
    missing = {name: stack[entry] for name, entry in FROM_STACK.items() if entry in stack and name not in os.environ}
    try:
        return Settings(**missing)
    except ValidationError as exc:
        wrong = "; ".join(f"{_variable(error['loc'])}: {error['msg']}" for error in exc.errors())
        raise Permanent(
            f"{wrong}. Set it in the environment (docs/settings.md), or start a stack with `make up`."
        ) from exc


def _variable(location: tuple[int | str, ...]) -> str:
    name = ".".join(map(str, location))
    return name if name in FROM_STACK or not name else f"DBRAG_{name.upper()}"
