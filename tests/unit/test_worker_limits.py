"""Time limits that do not fit together are refused, with what to change."""

from dataclasses import replace

import pytest

from workers.limits import Limits, contradiction

GOOD = Limits(soft_s=48, hard_s=54, lease_s=60, visibility_s=90, slice_s=15, extraction_s=30, provider_s=30)


def test_what_follows_from_the_lease_fits_together() -> None:
    assert contradiction(GOOD) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"soft_s": None}, "tasks have no time limit"),
        ({"hard_s": 0}, "tasks have no time limit"),
        ({"soft_s": 54}, "the soft time limit (54 s) must be shorter than the time limit (54 s)"),
        ({"hard_s": 60}, "the time limit (60 s) must be shorter than the lease (60 s)"),
        ({"visibility_s": 60}, "the lease (60 s) must be shorter than the broker's visibility timeout (60 s)"),
        (
            {"extraction_s": 33},
            "a slice and the longest step of a task (48 s) must be shorter than the soft time limit",
        ),
        ({"provider_s": 40}, "a slice and the longest step of a task (55 s) must be shorter than the soft time limit"),
    ],
)
def test_each_contradiction_is_named(wrong: dict[str, float | None], said: str) -> None:
    refusal = contradiction(replace(GOOD, **wrong))
    assert refusal is not None
    assert refusal.startswith(said)
    assert "DBRAG_LEASE_S" in refusal
