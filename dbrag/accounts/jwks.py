"""The public keys that sign JWTs: a JWKS file (RFC 7517) on disk, read again when it changes."""

from pathlib import Path

import structlog
from jwt import PyJWK, PyJWKSet, PyJWTError

ALGORITHMS = {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}
"""Asymmetric ones only: a shared secret in a file of public keys would be anybody's."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class KeyFile:
    """The keys of the file as it was last readable. Raises at its making: ValueError where there is none to use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._now()
        self._keys = _read(path)

    def find(self, kid: str | None) -> PyJWK | None:
        """The key with this id; without an id, the only key."""
        self._follow()
        keys = self._keys
        if kid is None:
            return keys[0] if len(keys) == 1 else None
        return next((key for key in keys if key.key_id == kid), None)

    def _follow(self) -> None:
        """Reads the file again if it is another one. One that is broken changes nothing, until it changes again."""
        stamp = self._now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _read(self._path)
        except ValueError as exc:
            log.warning("jwks_file_unusable", error=str(exc), consequence="the keys that it had before stay")
        else:
            log.info("jwks_file_read", keys=len(self._keys))

    def _now(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()  # of what a link leads to: mounted secrets are swapped by a link
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> list[PyJWK]:
    """Raises: ValueError, with what is wrong."""
    try:
        keys = [key for key in PyJWKSet.from_json(path.read_text()) if _signs(key)]
    except (OSError, ValueError, AttributeError, PyJWTError) as exc:  # AttributeError: JSON, but no object
        raise ValueError(f"DBRAG_JWT_JWKS_FILE {path} is no JWKS file that can be read ({type(exc).__name__})") from exc
    if not keys:
        raise ValueError(
            f"DBRAG_JWT_JWKS_FILE {path} has no key that can be used: RSA (2048 bits or more) or EC, for "
            f"{', '.join(sorted(ALGORITHMS))}"
        )
    return keys


def _signs(key: PyJWK) -> bool:
    if key.algorithm_name not in ALGORITHMS or key.public_key_use not in (None, "sig"):
        return False
    return key.Algorithm.check_key_length(key.key) is None
