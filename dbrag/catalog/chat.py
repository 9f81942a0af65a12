"""The chat model: messages in, a text of the asked shape and its cost out."""

import re
from collections.abc import Mapping, Sequence
from time import monotonic, sleep
from typing import Any, cast

import openai
from openai.types.chat import ChatCompletionMessageParam
from tenacity import RetryCallState

from dbrag.catalog.completion import ChatAnswer, read_completion
from dbrag.catalog.prompt import Message
from dbrag.embedding.failures import (
    KeyRefused,
    ModelUnknown,
    NotGranted,
    OutOfQuota,
    ProviderFailed,
    RateLimited,
    RequestTooLarge,
    failure,
)
from dbrag.embedding.governor import Governor
from dbrag.embedding.provider import CONNECT_TIMEOUT_S, repeating
from dbrag.errors import DbragError
from dbrag.settings import Settings

ANSWER_TOKENS = 500
"""What an answer is taken to need, when the limits are asked."""

GRANT_SHARE = 0.1
"""What a request waits for the limits, as a share of a lease."""

_DETAILS: dict[type[DbragError], str] = {
    RateLimited: "The chat model's rate limit is reached.",
    OutOfQuota: "The chat provider's account is out of quota: raise its budget.",
    KeyRefused: "The chat provider refuses the API key: check OPENAI_API_KEY and what it may use.",
    ModelUnknown: "The chat provider does not know the model: check DBRAG_CHAT_MODEL.",
    RequestTooLarge: "This table is too much for the chat model's context.",
}


class Chat:
    """An OpenAI-compatible `/chat/completions`; make it after fork, close it at exit. Safe to share between threads.

    It keeps to the same governor as embedding does, under its own model's name.
    """

    def __init__(self, settings: Settings, governor: Governor) -> None:
        assert settings.chat_model
        self.model = settings.chat_model
        self._governor = governor
        self._patience_s = GRANT_SHARE * settings.lease_s
        self._temperature: float | openai.Omit = 0.0
        self._client = openai.OpenAI(
            api_key=settings.openai_api_key.get_secret_value(),
            base_url=settings.openai_base_url,
            max_retries=0,  # as for embeddings: a rate limit is told from a failure, and the time is bounded
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def complete(self, messages: Sequence[Message], json_schema: dict[str, Any], deadline_s: float) -> ChatAnswer:
        """The model's answer within `deadline_s` seconds from now, tried again where it fails in passing.

        Raises RateLimited (NotGranted), OutOfQuota, KeyRefused, ProviderFailed (all Transient), or RequestRefused,
        ModelUnknown, RequestTooLarge. No detail has the provider's own words: they may quote the request.
        """
        deadline = monotonic() + deadline_s
        tokens = sum(len(message["content"].encode()) for message in messages) // 4 + ANSWER_TOKENS
        self._await_grant(tokens, deadline)

        def count(state: RetryCallState) -> None:
            if state.attempt_number > 1:
                self._governor.count(self.model, tokens)

        return repeating(count, deadline)(self._ask, messages, json_schema, deadline)

    def _await_grant(self, tokens: int, deadline: float) -> None:
        """Waits a little for the provider's limits. Raises: NotGranted where it would take long."""
        left_s = min(self._patience_s, deadline - monotonic())
        while asked_s := self._governor.take(self.model, tokens):
            left_s -= asked_s
            if left_s < 0:
                raise NotGranted("The chat model's limits are used up for now.", retry_after_s=asked_s)
            sleep(asked_s)

    def _ask(self, messages: Sequence[Message], json_schema: dict[str, Any], deadline: float) -> ChatAnswer:
        left_s = deadline - monotonic()
        if left_s <= 0:
            raise ProviderFailed("The chat model had no time left to answer.")
        temperature = self._temperature
        try:
            headers, body = self._send(messages, json_schema, temperature, left_s)
        except openai.APIError as exc:
            if temperature == 0 and _wants_its_own_temperature(exc):
                self._temperature = openai.omit  # models that reason take no other, so this one is not asked again
                return self._ask(messages, json_schema, deadline)
            error = _failure(exc)
            if isinstance(exc, openai.APIStatusError):
                self._hear(exc.response.headers, error)
            raise error from exc
        self._hear(headers)
        return read_completion(body)

    def _send(
        self, messages: Sequence[Message], json_schema: dict[str, Any], temperature: float | openai.Omit, left_s: float
    ) -> tuple[Mapping[str, str], bytes]:
        response = self._client.chat.completions.with_raw_response.create(
            model=self.model,
            messages=cast("list[ChatCompletionMessageParam]", messages),
            temperature=temperature,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": json_schema, "strict": True},
            },
            timeout=openai.Timeout(left_s, connect=min(left_s, CONNECT_TIMEOUT_S)),
        )
        return response.headers, response.content

    def _hear(self, headers: Mapping[str, str], error: DbragError | None = None) -> None:
        self._governor.learn(self.model, headers)
        if isinstance(error, RateLimited):
            self._governor.pause(self.model, error.retry_after_s)


def _wants_its_own_temperature(error: openai.APIError) -> bool:
    return isinstance(error, openai.BadRequestError) and error.param == "temperature"


def _failure(error: openai.APIError) -> DbragError:
    """As for embeddings, in words that quote nothing."""
    known = failure(error)
    detail = _DETAILS.get(type(known)) or _detail(error)
    return type(known)(detail, retry_after_s=known.retry_after_s)


def _detail(error: openai.APIError) -> str:
    if isinstance(error, openai.APITimeoutError):
        return "The chat model did not answer in time."
    if not isinstance(error, openai.APIStatusError):
        return "The chat provider could not be reached, or broke off."
    said = [name for name in (error.code, error.param) if name and re.fullmatch(r"[\w.\[\]-]{1,60}", name)]
    return f"The chat provider answered status {error.status_code}{''.join(f', {name}' for name in said)}."
