"""Reading a chat completion: its text, its cost, and whether the model refused."""

from dataclasses import dataclass
from typing import Any

import orjson

from dbrag.embedding.failures import ProviderFailed
from dbrag.errors import Permanent


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """What was answered and is billed. `refusal` (`chat_refused`, `chat_cut`): why `text` is not to be used."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    refusal: Permanent | None = None


def read_completion(body: bytes) -> ChatAnswer:
    """The answer in the JSON `body`; servers that bill nothing may leave `usage` out. Raises: ProviderFailed."""
    try:
        completion = orjson.loads(body)
        choice: dict[str, Any] = completion["choices"][0]
        message: dict[str, Any] = choice["message"]
        text: str = message.get("content") or ""
        text.encode()
        usage: dict[str, Any] = completion.get("usage") or {}
        prompt_tokens, completion_tokens = (int(usage.get(f"{kind}_tokens") or 0) for kind in ("prompt", "completion"))
        refusal = _refusal(message, choice.get("finish_reason"))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as exc:
        raise ProviderFailed("The chat provider's answer cannot be read.") from exc
    return ChatAnswer(text, prompt_tokens, completion_tokens, refusal)


def _refusal(message: dict[str, Any], finish_reason: Any) -> Permanent | None:
    """The model's own words are left out: they may quote the table's values."""
    if message.get("refusal") or finish_reason == "content_filter":
        return Permanent("The chat model refuses to describe this table.", code="chat_refused")
    if finish_reason == "length":
        return Permanent("The chat model's answer was cut off at its length limit.", code="chat_cut")
    return None
