"""How the stand-in is told to misbehave."""

from dataclasses import dataclass, field, fields
from typing import Any


@dataclass
class Step:
    """What happens to one request; all defaults together are a correct answer.

    `param` is the parameter that an error names.

    `status` other than 200 answers an error of OpenAI's shape. `broken` answers 200 and something unusable:
    reset | half_body | not_json | fewer | shuffled | repeated | wrong_dimensions | nan | zero (shuffled is legal:
    right indexes in another order); of a chat, what tests/provider/chat.py has.
    """

    status: int = 200
    code: str | None = None
    param: str | None = None
    message: str = "scripted"
    retry_after: float | str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    broken: str | None = None
    floats: bool = False
    delay_s: float = 0.0


@dataclass
class Script:
    """The stand-in's orders: `next` steps are used up one a request, then `always` holds.

    Those are for embeddings; `chat_next` and `chat_always` are for chats, `chat_ms` is their latency from now on.
    `refuse_containing` answers 400 to a request in which a text contains it, `fail_containing` 500; `revoked` answers
    401 to all of them.
    The limits are OpenAI's. `bills_tokens` bills what its tokenizer counts, else it is a quarter of a token a byte.
    """

    next: list[Step] = field(default_factory=list)
    always: Step = field(default_factory=Step)
    chat_next: list[Step] = field(default_factory=list)
    chat_always: Step = field(default_factory=Step)
    chat_ms: float | None = None
    refuse_containing: str | None = None
    fail_containing: str | None = None
    revoked: bool = False
    bills_tokens: bool = False
    max_inputs: int = 2048
    max_request_tokens: int = 300_000
    max_text_tokens: int = 8192

    def step(self) -> Step:
        """What happens to the request for vectors that just came."""
        return self.next.pop(0) if self.next else self.always

    def chat_step(self) -> Step:
        """What happens to the chat that just came."""
        return self.chat_next.pop(0) if self.chat_next else self.chat_always

    @classmethod
    def parse(cls, body: dict[str, Any]) -> "Script":
        """From the JSON of POST /control; a misspelt name is a TypeError, which the server answers with 500."""
        steps = {name: [Step(**step) for step in body.pop(name, [])] for name in ("next", "chat_next")}
        always = {name: Step(**body.pop(name, {})) for name in ("always", "chat_always")}
        assert set(body) <= {f.name for f in fields(cls)}, body
        return cls(**steps, **always, **body)
