"""Settings that fit together, and their table in the docs."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from dbrag.cli.settings_table import settings_table
from dbrag.embedding.embed import SLICE
from dbrag.settings import Settings

URLS = {"database_url": "postgresql://x", "celery_broker_url": "redis://x"}


@pytest.mark.parametrize("lease_s", [5, 6, 60, 600])
def test_limits_fit_together_whatever_the_lease(lease_s: int) -> None:
    settings = Settings.model_validate(URLS | {"lease_s": lease_s})
    assert (
        SLICE * lease_s + max(settings.extract_timeout_s, settings.provider_timeout_s)
        < settings.task_soft_time_limit_s
        < settings.task_time_limit_s
        < settings.lease_s
        < settings.visibility_timeout_s
    )


def test_an_overlap_that_fills_the_chunk_is_refused() -> None:
    with pytest.raises(ValidationError, match="DBRAG_OVERLAP_TOKENS must be smaller"):
        Settings.model_validate(URLS | {"max_tokens": 40, "overlap_tokens": 40})


def test_own_models_are_added_to_those_of_openai() -> None:
    settings = Settings.model_validate(URLS | {"models": {"bge-m3": {"dimensions": 1024}}})
    assert settings.models["bge-m3"].dimensions == 1024
    assert settings.models["text-embedding-3-small"].usd_per_million_tokens == 0.02


def test_the_table_in_the_docs_is_that_of_the_code() -> None:
    docs = Path(__file__).parents[2] / "docs" / "settings.md"
    assert settings_table() in docs.read_text(), "run: .venv/bin/dbrag settings, and put it into docs/settings.md"
