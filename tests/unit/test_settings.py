"""Settings that fit together, and their table in the docs."""

from pathlib import Path

import pytest
from limits import parse_many
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


@pytest.mark.parametrize(
    ("given", "address"),
    [(None, None), ("9105", ("127.0.0.1", 9105)), (":9105", ("127.0.0.1", 9105)), ("[::]:9105", ("::", 9105))],
)
def test_metrics_of_the_relay_stay_on_loopback_unless_a_host_is_named(
    given: str | None, address: tuple[str, int] | None
) -> None:
    assert Settings.model_validate(URLS | {"relay_metrics": given}).relay_metrics_address == address


@pytest.mark.parametrize("given", ["", "localhost", "localhost:http", "localhost:0", "localhost:65536"])
@pytest.mark.parametrize("whose", ["relay", "worker"])
def test_an_address_without_a_port_is_refused(whose: str, given: str) -> None:
    with pytest.raises(ValidationError, match=f"DBRAG_{whose.upper()}_METRICS must be port or host:port"):
        Settings.model_validate(URLS | {f"{whose}_metrics": given})


@pytest.mark.parametrize("given", ["600/minute", "20/second;600/minute", "1000/5 minute", "1/day"])
def test_rate_limits_are_written_as_requests_in_a_time(given: str) -> None:
    assert parse_many(given)
    assert Settings.model_validate(URLS | {"rate_limit": given, "cache_url": "redis://x"}).rate_limit == given


@pytest.mark.parametrize("given", ["", "600", "600/minutes", "0/minute", "600 per minute", "600/minute;", "-1/second"])
def test_another_rate_limit_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="DBRAG_RATE_LIMIT must be like 600/minute"):
        Settings.model_validate(URLS | {"rate_limit": given, "cache_url": "redis://x"})


def test_a_rate_limit_needs_a_place_to_count() -> None:
    with pytest.raises(ValidationError, match="DBRAG_RATE_LIMIT needs CACHE_URL"):
        Settings.model_validate(URLS | {"rate_limit": "600/minute"})


@pytest.mark.parametrize("given", ["https://app.example.com", "http://localhost:3000", "http://[::1]:3000"])
def test_origins_are_what_browsers_send(given: str) -> None:
    assert Settings.model_validate(URLS | {"cors_origins": [given]}).cors_origins == [given]


@pytest.mark.parametrize("given", ["*", "null", "app.example.com", "https://app.example.com/", "https://*.example.com"])
def test_what_no_browser_sends_is_no_origin(given: str) -> None:
    with pytest.raises(ValidationError, match="DBRAG_CORS_ORIGINS must hold origins"):
        Settings.model_validate(URLS | {"cors_origins": [given]})


def test_a_refusal_does_not_print_passwords() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(
            {"database_url": "postgresql://user:password@x", "celery_broker_url": "x", "lease_s": 1}
        )
    assert "password" not in str(refused.value)


def test_own_models_are_added_to_those_of_openai() -> None:
    settings = Settings.model_validate(URLS | {"models": {"bge-m3": {"dimensions": 1024}}})
    assert settings.models["bge-m3"].dimensions == 1024
    assert settings.models["text-embedding-3-small"].usd_per_million_tokens == 0.02


def test_what_the_environment_does_not_name_is_read_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://environment")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    files = {"DATABASE_URL": "postgresql://file\n", "CELERY_BROKER_URL": "redis://file", "DBRAG_ENCRYPTION_KEYS": "a,b"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    settings = Settings(_secrets_dir=tmp_path)  # pyright: ignore[reportCallIssue]
    assert settings.database_url.get_secret_value() == "postgresql://file"
    assert settings.celery_broker_url.get_secret_value() == "redis://environment"
    assert settings.encryption_keys is not None
    assert settings.encryption_keys.get_secret_value() == "a,b"


def test_a_folder_of_secrets_that_is_not_there_is_no_matter(tmp_path: Path) -> None:
    values = {"database_url": "postgresql://x", "celery_broker_url": "redis://x"}
    settings = Settings(_secrets_dir=tmp_path / "none", **values)  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert settings.database_url.get_secret_value() == "postgresql://x"


def test_the_table_in_the_docs_is_that_of_the_code() -> None:
    docs = Path(__file__).parents[2] / "docs" / "settings.md"
    assert settings_table() in docs.read_text(), "run: .venv/bin/dbrag settings, and put it into docs/settings.md"
