"""DSNs as they are stored: encrypted, with keys that can be changed without losing one."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from dbrag.errors import Permanent
from dbrag.settings import Settings


class Vault:
    """Encrypts with the first of DBRAG_ENCRYPTION_KEYS and decrypts with all of them.

    To change the key: put a new one in front, let all tokens be rotated, and then take the old one away.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises: Permanent (`encryption_keys_missing`, `encryption_key_invalid`)."""
        given = settings.encryption_keys.get_secret_value() if settings.encryption_keys else ""
        keys = [key.strip() for key in given.split(",") if key.strip()]
        if not keys:
            raise Permanent(
                "DBRAG_ENCRYPTION_KEYS is not set, and a DSN is stored encrypted only: make a key with "
                "`dbrag catalog new-key`, and give it to the API and to the workers.",
                code="encryption_keys_missing",
            )
        self._fernet = MultiFernet([_fernet(key, place) for place, key in enumerate(keys, 1)])

    def encrypt(self, dsn: str) -> bytes:
        return self._fernet.encrypt(dsn.encode())

    def decrypt(self, token: bytes) -> str:
        """Raises: Permanent (`encryption_key_lost`) where no key opens it."""
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken as exc:
            raise _lost() from exc

    def rotate(self, token: bytes) -> bytes:
        """The same DSN under the first key. Raises: Permanent, as `decrypt`."""
        try:
            return self._fernet.rotate(token)
        except InvalidToken as exc:
            raise _lost() from exc


def new_key() -> str:
    """A key for DBRAG_ENCRYPTION_KEYS."""
    return Fernet.generate_key().decode()


def _fernet(key: str, place: int) -> Fernet:
    try:
        return Fernet(key)
    except ValueError as exc:
        raise Permanent(
            f"Key {place} of DBRAG_ENCRYPTION_KEYS is no Fernet key, which has 32 bytes in URL-safe base64: make one "
            "with `dbrag catalog new-key`.",
            code="encryption_key_invalid",
        ) from exc


def _lost() -> Permanent:
    return Permanent(
        "None of DBRAG_ENCRYPTION_KEYS opens this connection's DSN: add the key that it was stored with, or put the "
        "connection again.",
        code="encryption_key_lost",
    )
