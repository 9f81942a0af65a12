"""The provider's client against a real HTTP server that behaves, and misbehaves, like OpenAI's."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from dbrag.embedding.answers import Embedded
from dbrag.embedding.failures import (
    KeyRefused,
    ModelUnknown,
    OutOfQuota,
    ProviderFailed,
    RateLimited,
    RequestRefused,
    RequestTooLarge,
)
from dbrag.embedding.governor import DEFAULT_PAUSE_S, Governor
from dbrag.embedding.provider import HARMLESS, Provider
from dbrag.embedding.texts import text_hash
from dbrag.errors import Permanent, Transient
from dbrag.settings import Model, Settings
from tests.provider import ProviderServer, vector_of

SMALL = "text-embedding-3-small"
TEXTS = ["one", "two", "drei", "四"]
MANY = [f"text {i}" for i in range(64)]


@pytest.fixture(scope="module")
def process() -> Iterator[ProviderServer]:
    with ProviderServer() as process:
        yield process


@pytest.fixture
def server(process: ProviderServer) -> ProviderServer:
    process.script()
    process.forget()
    return process


def settings(url: str, **changes: object) -> Settings:
    # A lease of 5 s gives a request 3 s.
    needed = {"database_url": "postgresql:///", "celery_broker_url": "redis:///", "openai_base_url": url, "lease_s": 5}
    return Settings.model_validate(needed | changes)


@pytest.fixture
def provider(server: ProviderServer) -> Iterator[Provider]:
    with closing(Provider(settings(server.url))) as provider:
        yield provider


def assert_vectors_of(texts: list[str], vectors: np.ndarray, dimensions: int = 1536) -> None:
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [vector_of(text, dimensions).tolist() for text in texts]


class TestOneRequest:
    def test_vectors_come_back_in_the_order_of_the_texts_with_their_cost(self, provider: Provider) -> None:
        answer = provider.embed(TEXTS, SMALL, 1536)
        assert_vectors_of(TEXTS, answer.vectors)
        assert answer.prompt_tokens == 4

    def test_vectors_that_arrive_in_another_order_are_put_right(
        self, server: ProviderServer, provider: Provider
    ) -> None:
        server.script(next=[{"broken": "shuffled"}])
        assert_vectors_of(TEXTS, provider.embed(TEXTS, SMALL, 1536).vectors)

    def test_a_server_that_answers_numbers_instead_of_base64_is_understood(
        self, server: ProviderServer, provider: Provider
    ) -> None:
        server.script(always={"floats": True})
        assert_vectors_of(TEXTS, provider.embed(TEXTS, SMALL, 1536).vectors)

    def test_fewer_dimensions_are_asked_for_only_where_the_model_shortens(self, server: ProviderServer) -> None:
        local = settings(server.url, models={"text-embedding-ada-002": Model(dimensions=1536)})
        with closing(Provider(local)) as provider:
            assert_vectors_of(TEXTS, provider.embed(TEXTS, "text-embedding-3-large", 256).vectors, 256)
            provider.embed(TEXTS, "text-embedding-3-large", 3072)
            with pytest.raises(ProviderFailed, match="1536 dimensions instead of 256"):
                provider.embed(TEXTS, "text-embedding-ada-002", 256)
        asked = server.stats()["dimensions_asked"]
        assert asked["256"] == 1
        assert set(asked) == {"256", "None"}


@pytest.mark.parametrize("broken", ["nan", "zero"])
def test_a_vector_that_cannot_be_used_spoils_no_other(server: ProviderServer, provider: Provider, broken: str) -> None:
    server.script(next=[{"broken": broken}])
    [(_, answer)] = provider.embed_each(TEXTS, SMALL, 1536)
    assert isinstance(answer, Embedded)
    assert answer.unusable == {0}
    assert_vectors_of(TEXTS[1:], answer.vectors[1:])
    server.script(next=[{"broken": broken}])
    with pytest.raises(ProviderFailed, match="zero or not finite"):
        provider.embed(TEXTS, SMALL, 1536)


class TestWhatPassesSoon:
    @pytest.mark.parametrize(
        "step",
        [
            {"status": 500},
            {"status": 503, "retry_after": 0.2},
            {"status": 408},
            {"broken": "reset"},
            {"broken": "half_body"},
            {"broken": "not_json"},
            {"broken": "fewer"},
            {"broken": "repeated"},
            {"broken": "wrong_dimensions"},
        ],
        ids=str,
    )
    def test_is_tried_again_in_the_same_call(
        self, server: ProviderServer, provider: Provider, step: dict[str, object]
    ) -> None:
        server.script(next=[step])
        assert_vectors_of(TEXTS, provider.embed(TEXTS, SMALL, 1536).vectors)
        assert server.stats()["requests"] == 2

    def test_is_given_up_after_three_tries(self, server: ProviderServer, provider: Provider) -> None:
        server.script(always={"status": 502, "message": "upstream gone"})
        with pytest.raises(ProviderFailed, match="502: upstream gone"):
            provider.embed(TEXTS, SMALL, 1536)
        assert server.stats()["requests"] == 3

    def test_is_left_to_the_job_where_the_provider_wants_a_longer_pause(
        self, server: ProviderServer, provider: Provider
    ) -> None:
        server.script(always={"status": 503, "retry_after": 30})
        with pytest.raises(ProviderFailed) as caught:
            provider.embed(TEXTS, SMALL, 1536)
        assert caught.value.retry_after_s == 30
        assert server.stats()["requests"] == 1

    def test_is_bounded_in_time_over_all_tries(self, server: ProviderServer, provider: Provider) -> None:
        server.script(always={"delay_s": 20})
        with pytest.raises(ProviderFailed, match="in time"):
            provider.embed(TEXTS, SMALL, 1536)
        assert server.stats()["requests"] == 1

    def test_includes_a_provider_that_is_not_there(self) -> None:
        with (
            closing(Provider(settings("http://127.0.0.1:9/v1"))) as provider,
            pytest.raises(ProviderFailed, match="could not be reached"),
        ):
            provider.embed(TEXTS, SMALL, 1536)


class TestWhatWaits:
    @pytest.mark.parametrize(
        ("step", "error", "retry_after_s"),
        [
            ({"status": 429, "retry_after": 1}, RateLimited, 1.0),
            ({"status": 429, "headers": {"x-ratelimit-reset-tokens": "6.5s"}}, RateLimited, 6.5),
            ({"status": 429}, RateLimited, None),
            ({"status": 429, "code": "insufficient_quota", "retry_after": 1}, OutOfQuota, None),
            ({"status": 401}, KeyRefused, None),
            ({"status": 403}, KeyRefused, None),
        ],
        ids=str,
    )
    def test_is_raised_at_once_as_transient(
        self,
        server: ProviderServer,
        provider: Provider,
        step: dict[str, object],
        error: type[Transient],
        retry_after_s: float | None,
    ) -> None:
        server.script(always=step)
        with pytest.raises(error) as caught:
            provider.embed(TEXTS, SMALL, 1536)
        assert caught.value.retryable
        assert caught.value.retry_after_s == retry_after_s
        assert server.stats()["requests"] == 1

    def test_a_revoked_key_is_not_quoted(self, server: ProviderServer, provider: Provider) -> None:
        server.script(revoked=True)
        with pytest.raises(KeyRefused) as caught:
            provider.embed(TEXTS, SMALL, 1536)
        assert "sk-" not in caught.value.detail


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("limits", "texts"),
        [
            ({"max_inputs": 3}, TEXTS),
            ({"max_request_tokens": 3}, TEXTS),
            ({"max_text_tokens": 10}, ["x" * 44]),
            ({"always": {"status": 413, "message": "Request Entity Too Large"}}, TEXTS),
        ],
        ids=str,
    )
    def test_for_its_size_is_told_from_what_is_refused_for_itself(
        self, server: ProviderServer, provider: Provider, limits: dict[str, object], texts: list[str]
    ) -> None:
        server.script(**limits)
        with pytest.raises(RequestTooLarge):
            provider.embed(texts, SMALL, 1536)
        assert server.stats()["requests"] == 1

    @pytest.mark.parametrize(("status", "error"), [(400, RequestRefused), (422, RequestRefused), (404, ModelUnknown)])
    def test_is_permanent_and_keeps_the_providers_words(
        self, server: ProviderServer, provider: Provider, status: int, error: type[Permanent]
    ) -> None:
        code = "model_not_found" if status == 404 else None
        server.script(always={"status": status, "code": code, "message": "No such thing."})
        with pytest.raises(error, match=r"No such thing\.") as caught:
            provider.embed(TEXTS, SMALL, 1536)
        assert not caught.value.retryable
        assert server.stats()["requests"] == 1


def collect(provider: Provider, texts: list[str]) -> tuple[dict[int, list[float]], dict[int, Permanent], int]:
    """All that embed_each yields: vectors and errors by position, and the cost."""
    vectors, errors, cost = dict[int, list[float]](), dict[int, Permanent](), 0
    for positions, outcome in provider.embed_each(texts, SMALL, 1536):
        if isinstance(outcome, Embedded):
            assert not vectors.keys() & set(positions)
            vectors |= dict(zip(positions, outcome.vectors.tolist(), strict=True))
            cost += outcome.prompt_tokens
        else:
            errors[positions[0]] = outcome
    return vectors, errors, cost


def vectors_by_position(texts: list[str]) -> dict[int, list[float]]:
    return {i: vector_of(text, 1536).tolist() for i, text in enumerate(texts)}


class TestABatchInPieces:
    def test_is_one_request_where_nothing_is_wrong(self, server: ProviderServer, provider: Provider) -> None:
        assert collect(provider, MANY) == (vectors_by_position(MANY), {}, 128)
        assert server.stats()["requests"] == 1

    def test_of_no_texts_asks_nothing(self, server: ProviderServer, provider: Provider) -> None:
        assert collect(provider, []) == ({}, {}, 0)
        assert server.stats()["requests"] == 0

    def test_is_halved_until_it_is_small_enough(self, server: ProviderServer, provider: Provider) -> None:
        server.script(max_inputs=20)
        assert collect(provider, MANY) == (vectors_by_position(MANY), {}, 128)
        assert server.stats()["inputs"] == [16, 16, 16, 16]

    def test_loses_only_the_text_that_is_too_long(self, server: ProviderServer, provider: Provider) -> None:
        server.script(max_text_tokens=10)
        vectors, errors, _ = collect(provider, [*MANY, "long " * 20])
        assert vectors == vectors_by_position(MANY)
        assert {i: type(error) for i, error in errors.items()} == {64: RequestTooLarge}

    def test_loses_only_the_texts_that_are_refused_and_pays_for_no_other_twice(
        self, server: ProviderServer, provider: Provider
    ) -> None:
        texts = [*MANY[:40], "POISON a", *MANY[40:], "POISON b"]
        server.script(refuse_containing="POISON")
        vectors, errors, cost = collect(provider, texts)
        stats = server.stats()
        good = vectors_by_position(texts)
        del good[40], good[65]
        assert vectors == good
        assert {i: type(error) for i, error in errors.items()} == {40: RequestRefused, 65: RequestRefused}
        assert set(stats["answered"].values()) == {1}
        assert cost == stats["prompt_tokens"]
        assert stats["requests"] < 30

    @pytest.mark.parametrize(
        ("status", "requests"),
        [(404, 1), (400, 2)],
        ids=["an unknown model", "any refusal that a harmless text meets too"],
    )
    def test_is_not_halved_where_no_text_is_to_blame(
        self, server: ProviderServer, provider: Provider, status: int, requests: int
    ) -> None:
        server.script(always={"status": status, "code": "model_not_found" if status == 404 else None})
        with pytest.raises(RequestRefused):
            collect(provider, MANY)
        assert server.stats()["requests"] == requests

    @pytest.mark.parametrize("trouble", [{"status": 429}, {"status": 401}, {"status": 503, "retry_after": 60}], ids=str)
    def test_hands_over_what_was_paid_before_it_fails(
        self, server: ProviderServer, provider: Provider, trouble: dict[str, object]
    ) -> None:
        too_large = {"status": 413}
        server.script(next=[too_large, {}, trouble])
        parts = provider.embed_each(MANY, SMALL, 1536)
        positions, outcome = next(parts)
        assert positions == range(32)
        assert isinstance(outcome, Embedded)
        with pytest.raises(Transient):
            next(parts)
        assert len(server.stats()["answered"]) == 32

    def test_tells_the_cost_of_finding_out(self, server: ProviderServer, provider: Provider) -> None:
        server.script(refuse_containing="text 63")
        first, probe = next(iter(provider.embed_each(MANY, SMALL, 1536)))
        assert first == range(0)
        assert isinstance(probe, Embedded)
        assert probe.vectors.shape == (0, 1536)
        assert server.stats()["answered"] == {text_hash(HARMLESS).hex(): 1}
        assert probe.prompt_tokens == server.stats()["prompt_tokens"]


def counted() -> float:
    return REGISTRY.get_sample_value("dbrag_governor_asked_total", {"answer": "counted", "by": "process"}) or 0.0


class TestTheGovernor:
    """Of this process alone, whose limits are a tenth."""

    @pytest.fixture
    def governor(self, server: ProviderServer) -> Iterator[Governor]:
        with closing(Governor(settings(server.url))) as governor:
            yield governor

    @pytest.fixture
    def provider(self, server: ProviderServer, governor: Governor) -> Iterator[Provider]:
        with closing(Provider(settings(server.url), governor)) as provider:
            yield provider

    LIMITS = {"x-ratelimit-limit-requests": "500", "X-RateLimit-Limit-Tokens": "70000"}  # noqa: RUF012

    def test_learns_from_every_answer(self, server: ProviderServer, provider: Provider, governor: Governor) -> None:
        server.script(always={"headers": self.LIMITS})
        provider.embed(TEXTS, SMALL, 1536)
        buckets = governor.standings()[SMALL].buckets
        assert {kind: bucket.limit for kind, bucket in buckets.items()} == {"requests": 50, "tokens": 7000}

    @pytest.mark.parametrize(
        ("step", "pause_s"),
        [
            ({"status": 429, "retry_after": 40}, 40),
            ({"status": 429}, DEFAULT_PAUSE_S),
            ({"status": 429, "headers": {"x-ratelimit-reset-tokens": "30s"}}, 30),
            ({"status": 429, "code": "insufficient_quota"}, 0),
            ({"status": 503, "retry_after": 40}, 0),
        ],
        ids=str,
    )
    def test_pauses_after_a_rate_limit_and_nothing_else(
        self, server: ProviderServer, provider: Provider, governor: Governor, step: dict[str, Any], pause_s: float
    ) -> None:
        server.script(always=step | {"headers": step.get("headers", {}) | self.LIMITS})
        with pytest.raises(Transient):
            list(provider.embed_each(TEXTS, SMALL, 1536))
        assert governor.paused().get(SMALL, 0) == pytest.approx(pause_s, abs=5)
        assert governor.standings()[SMALL].buckets["requests"].limit == 50

    def test_counts_searches_and_never_makes_them_wait(
        self, server: ProviderServer, provider: Provider, governor: Governor
    ) -> None:
        governor.pause(SMALL, 60)
        before = counted()
        server.script(next=[{"status": 500}])
        assert_vectors_of(TEXTS, provider.embed(TEXTS, SMALL, 1536).vectors)
        assert counted() - before == server.stats()["requests"] == 2

    def test_counts_of_a_batch_what_was_not_asked_for(self, server: ProviderServer, provider: Provider) -> None:
        before = counted()
        collect(provider, MANY)
        assert counted() == before
        server.script(next=[{"status": 500}], max_inputs=20)
        collect(provider, MANY)
        assert counted() - before == server.stats()["requests"] - 2
