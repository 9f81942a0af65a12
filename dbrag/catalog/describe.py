"""From a table and its masked sample rows to a description: by the chat model if there is one, else composed."""

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from uuid import UUID

import structlog

from dbrag.catalog import answer, compose, prompt, spend
from dbrag.catalog.answer import Unusable
from dbrag.catalog.chat import Chat
from dbrag.catalog.model import Described, DescribedBy, Description, Fallback, Row, Table
from dbrag.catalog.prompt import Message
from dbrag.embedding.failures import ModelUnknown, ProviderFailed
from dbrag.errors import DbragError, Permanent
from dbrag.runtime import Runtime
from dbrag.settings import Settings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def describer(settings: Settings) -> str:
    """Who describes: part of a table's fingerprint, so that another model, or another prompt, describes it anew."""
    if settings.chat_model:
        return f"{settings.chat_model}/{prompt.VERSION}"
    return f"composed/{compose.VERSION}"


def describe(
    runtime: Runtime, tenant_id: UUID, job_id: UUID, table: Table, samples: Sequence[Row], deadline_s: float
) -> Described:
    """The table's description, within `deadline_s` seconds from now; what is paid for it is recorded at once.

    Where the chat model fails with this table, the composed one takes its place. What concerns all tables for a while
    is for the job to wait for. Raises: RateLimited (NotGranted), OutOfQuota, KeyRefused.
    """
    if runtime.chat is None:
        return Described(compose.compose(table, samples), DescribedBy.COMPOSED)
    asked = _Asked(runtime, runtime.chat, tenant_id, job_id, table, monotonic() + deadline_s)
    try:
        description = asked.answer(prompt.messages(table, samples))
    except (Permanent, ProviderFailed) as exc:
        log.warning("the chat model described nothing", code=exc.code, error=exc.detail, table_oid=table.oid)
        composed = Described(compose.compose(table, samples), DescribedBy.COMPOSED, _fallback(exc))
        return asked.billed(composed)
    return asked.billed(Described(description, DescribedBy.MODEL))


class _Asked:
    """The requests for one table, and what they cost."""

    def __init__(
        self, runtime: Runtime, chat: Chat, tenant_id: UUID, job_id: UUID, table: Table, deadline: float
    ) -> None:
        self._runtime, self._chat, self._table, self._deadline = runtime, chat, table, deadline
        self._tenant_id, self._job_id = tenant_id, job_id
        self._prompt_tokens = self._completion_tokens = 0

    def billed(self, described: Described) -> Described:
        """With what was paid."""
        return replace(described, prompt_tokens=self._prompt_tokens, completion_tokens=self._completion_tokens)

    def answer(self, messages: list[Message]) -> Description:
        """The kept answer, or the model's, or the model's when it was told what is wrong.

        Raises as `Chat.complete` does, or Permanent (`chat_refused`, `chat_cut`, `chat_unusable`).
        """
        kept = self._runtime.descriptions and self._runtime.descriptions.get(self._chat.model, messages)
        found = answer.read(kept, self._table) if kept else None
        if isinstance(found, Description):
            return found
        text, found = self._ask(messages, messages)
        if isinstance(found, Unusable):
            _, found = self._ask(prompt.repair(messages, text, found.wrong), messages)
        if isinstance(found, Unusable):
            # For good: at temperature 0 it would say the same again, and each time for money.
            raise Permanent(f"The chat model's answer cannot be used: {found.wrong}.", code="chat_unusable")
        return found

    def _ask(self, messages: list[Message], first: list[Message]) -> tuple[str, Description | Unusable]:
        """One request; a good answer is kept as that to the `first` one."""
        said = self._chat.complete(messages, prompt.SCHEMA, self._deadline - monotonic())
        found = answer.read(said.text, self._table)
        if self._runtime.descriptions and isinstance(found, Description) and not said.refusal:
            # Before PostgreSQL is asked: if that is away now, this must not be paid again.
            self._runtime.descriptions.put(self._chat.model, first, said.text)
        spend.record(self._runtime, self._tenant_id, self._job_id, self._chat.model, said)
        self._prompt_tokens += said.prompt_tokens
        self._completion_tokens += said.completion_tokens
        if said.refusal:
            raise said.refusal
        return said.text, found


def _fallback(error: DbragError) -> Fallback:
    return Fallback(error.code, error.detail, passing=isinstance(error, ProviderFailed | ModelUnknown))
