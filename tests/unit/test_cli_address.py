"""Where the command line finds the API, its key and the servers."""

import json
from pathlib import Path

import pytest

from dbrag.cli.address import Address, find_address, load_settings
from dbrag.errors import Permanent

STACK = {
    "api": "http://127.0.0.1:8001",
    "api_key": "dbrag_local",
    "embeddings": "http://127.0.0.1:8002/v1",
    "database_url": "postgresql://stack/db",
    "broker_url": "redis://127.0.0.1:1/0",
    "cache_url": "redis://127.0.0.1:2/0",
}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "OPENAI_BASE_URL", "DBRAG_LEASE_S"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A folder below one in which a stack runs."""
    (tmp_path / ".dbrag").mkdir()
    (tmp_path / ".dbrag" / "stack.json").write_text(json.dumps(STACK))
    folder = tmp_path / "docs" / "deep"
    folder.mkdir(parents=True)
    return folder


def test_the_stack_of_a_parent_folder_is_found(inside: Path) -> None:
    assert find_address(None, None, inside) == Address(STACK["api"], STACK["api_key"])


def test_what_is_given_wins_over_the_stack(inside: Path) -> None:
    assert find_address("http://api.example/", "mine", inside) == Address("http://api.example", "mine")


def test_a_stacks_key_is_not_sent_to_another_api(inside: Path) -> None:
    with pytest.raises(Permanent, match=r"No API key for http://api\.example.*DBRAG_API_KEY"):
        find_address("http://api.example", None, inside)


def test_an_empty_variable_is_like_none(inside: Path) -> None:
    assert find_address("", "", inside) == Address(STACK["api"], STACK["api_key"])


def test_without_stack_and_address_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"make up.*DBRAG_API_URL"):
        find_address(None, None, tmp_path)


def test_a_broken_stack_file_is_named(inside: Path) -> None:
    path = inside.parents[1] / ".dbrag" / "stack.json"
    path.write_text("{")
    with pytest.raises(Permanent, match=str(path)):
        find_address(None, None, inside)


def test_settings_come_from_the_stack_where_the_environment_names_no_server(inside: Path) -> None:
    settings = load_settings(inside)
    assert settings.database_url.get_secret_value() == STACK["database_url"]
    assert settings.celery_broker_url.get_secret_value() == STACK["broker_url"]
    assert settings.openai_base_url == STACK["embeddings"]


def test_two_installations_are_never_mixed(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://production/db")
    with pytest.raises(Permanent, match="CELERY_BROKER_URL: Field required"):
        load_settings(inside)


def test_a_wrong_setting_is_named_as_the_variable_that_holds_it(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBRAG_LEASE_S", "soon")
    with pytest.raises(Permanent, match="DBRAG_LEASE_S: Input should be a valid integer"):
        load_settings(inside)
