"""DSNs at rest: encrypted with Fernet (AES-128-CBC and HMAC-SHA-256), under keys that can be changed."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from dbrag.errors import Permanent
from dbrag.settings import Settings


def new_key() -> str:
    """A key for `DBRAG_ENCRYPTION_KEYS`."""
    return Fernet.generate_key().decode()


class Vault:
    """Encrypts with the first of the keys, and opens what any of them has closed.

    Raises: Permanent where there is no key, or one that is none.
    """

    def __init__(self, settings: Settings) -> None:
        keys = settings.encryption_keys.get_secret_value() if settings.encryption_keys else ""
        names = [key.strip() for key in keys.split(",") if key.strip()]
        if not names:
            raise Permanent(
                "there is no key for DSNs: set DBRAG_ENCRYPTION_KEYS (`dbrag catalog new-key` makes one)",
                code="encryption_not_set",
            )
        try:
            self._keys = MultiFernet([Fernet(name) for name in names])
        except ValueError:  # its words may quote the key
            raise Permanent(
                "DBRAG_ENCRYPTION_KEYS holds something that is no Fernet key: `dbrag catalog new-key` makes one",
                code="encryption_not_set",
            ) from None

    def encrypt(self, dsn: str) -> bytes:
        return self._keys.encrypt(dsn.encode())

    def decrypt(self, token: bytes) -> str:
        """Raises: Permanent where none of the keys has closed it."""
        try:
            return self._keys.decrypt(bytes(token)).decode()
        except InvalidToken:
            raise self._closed() from None

    def rotate(self, token: bytes) -> bytes:
        """The same under the first key. Raises: Permanent."""
        try:
            return self._keys.rotate(bytes(token))
        except InvalidToken:
            raise self._closed() from None

    def _closed(self) -> Permanent:
        return Permanent(
            "none of DBRAG_ENCRYPTION_KEYS opens this connection's DSN: put the key back that it was stored with, or put "
            "the connection again",
            code="dsn_unreadable",
        )
