"""DSNs at rest: what opens them, and what is said where nothing does."""

from collections.abc import Callable

import pytest

from dbrag.catalog.secrets import Vault, new_key
from dbrag.errors import Permanent
from dbrag.settings import Settings

DSN = "postgresql://u:ü-secret@host/db"
OLD, NEW = new_key(), new_key()


def vault(keys: str | None) -> Vault:
    urls = {"database_url": "postgresql://x", "celery_broker_url": "redis://x"}
    return Vault(Settings.model_validate(urls | {"encryption_keys": keys}))


def test_what_is_encrypted_is_not_seen_and_comes_back() -> None:
    token = vault(OLD).encrypt(DSN)
    assert b"secret" not in token
    assert vault(OLD).encrypt(DSN) != token
    assert vault(OLD).decrypt(token) == DSN


def test_keys_are_changed_without_losing_a_dsn() -> None:
    token = vault(OLD).encrypt(DSN)
    both = vault(f" {NEW}, {OLD},")
    assert both.decrypt(token) == DSN
    rotated = both.rotate(token)
    assert vault(NEW).decrypt(rotated) == DSN
    assert vault(NEW).decrypt(both.encrypt(DSN)) == DSN


@pytest.mark.parametrize("open_it", [Vault.decrypt, Vault.rotate])
@pytest.mark.parametrize("token", [vault(OLD).encrypt(DSN), b"", b"no token", vault(NEW).encrypt(DSN)[:-4]])
def test_a_token_that_no_key_opens_says_what_to_do(open_it: Callable[[Vault, bytes], object], token: bytes) -> None:
    with pytest.raises(Permanent, match="add the key") as caught:
        open_it(vault(NEW), token)
    assert caught.value.code == "encryption_key_lost"


@pytest.mark.parametrize("keys", [None, "", " , "])
def test_no_key_says_how_to_make_one(keys: str | None) -> None:
    with pytest.raises(Permanent, match="dbrag catalog new-key") as caught:
        vault(keys)
    assert caught.value.code == "encryption_keys_missing"


@pytest.mark.parametrize("key", ["hunter2", "é", OLD[:-4]])
def test_a_key_that_is_none_is_named_by_its_place_only(key: str) -> None:
    with pytest.raises(Permanent, match="Key 2 of") as caught:
        vault(f"{NEW},{key}")
    assert caught.value.code == "encryption_key_invalid"
    assert key not in str(caught.value) + str(caught.value.__cause__)
