"""How long a model is left alone after what kind of failure."""

import pytest

from dbrag.embedding.failures import KeyRefused, OutOfQuota, ProviderFailed, RateLimited
from dbrag.embedding.pauses import MAX_PAUSE_S, after
from dbrag.errors import Transient


@pytest.mark.parametrize(
    ("error", "failures", "outcome"),
    [
        (ProviderFailed("x"), 0, (1, 0)),
        (ProviderFailed("x"), 1, (2, 0)),
        (ProviderFailed("x", retry_after_s=30), 1, (2, 0)),
        (ProviderFailed("x"), 2, (3, 1)),
        (ProviderFailed("x"), 3, (4, 2)),
        (ProviderFailed("x", retry_after_s=30), 3, (4, 30)),
        (ProviderFailed("x"), 7, (8, 32)),
        (ProviderFailed("x"), 5000, (5001, 60)),
        (KeyRefused("x"), 0, (3, 10)),
        (OutOfQuota("x"), 3, (4, 20)),
        (KeyRefused("x"), 5000, (5001, 60)),
        (RateLimited("x", retry_after_s=0.3), 0, (0, 0.3)),
        (RateLimited("x"), 5, (0, 10)),
        (RateLimited("x", retry_after_s=86_400), 0, (0, MAX_PAUSE_S)),
    ],
    ids=lambda value: value.code if isinstance(value, Transient) else str(value),
)
def test_a_pause_is_as_long_as_the_failure_wants(error: Transient, failures: int, outcome: tuple[int, float]) -> None:
    assert after(error, failures, spread=1) == outcome
