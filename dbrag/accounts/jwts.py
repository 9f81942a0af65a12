"""JWTs as bearer tokens (RFC 7519): who signed them is trusted to say which tenant asks, and what it may do."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import jwt
from jwt import PyJWK

from dbrag.accounts.jwks import KeyFile
from dbrag.accounts.model import Scope
from dbrag.errors import Unauthorized
from dbrag.settings import Settings

LEEWAY_S = 10
"""How far the clocks of issuer and API may be apart."""

SENTENCES: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "this JWT has expired: get a new one from its issuer",
    jwt.ImmatureSignatureError: "this JWT is not valid yet: check the clocks of its issuer and of this API",
    jwt.InvalidIssuerError: "this JWT is not from the issuer that is trusted here (DBRAG_JWT_ISSUER)",
    jwt.InvalidAudienceError: "this JWT is for somebody else: its `aud` is not DBRAG_JWT_AUDIENCE",
    jwt.InvalidAlgorithmError: "this JWT is signed with another algorithm than its key is for",
    jwt.InvalidSignatureError: "the signature of this JWT is not that of a key that is trusted here",
}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid JWT says; scopes that dbrag does not know are left out."""

    tenant: str
    subject: str | None
    scopes: frozenset[Scope]


class Jwts:
    """Reads JWTs as the settings say. One algorithm belongs to each key, and the token's header cannot choose it."""

    def __init__(self, find_key: Callable[[str | None], PyJWK | None], issuer: str | None, audience: str | None):
        self._find_key = find_key
        self._issuer = issuer
        self._audience = audience

    def claims(self, token: str) -> Claims:
        """Raises: Unauthorized, with what is wrong."""
        try:
            key = self._find_key(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise Unauthorized(
                    "this JWT names no key (`kid`) of DBRAG_JWT_JWKS_FILE: get a new one, or add its key"
                )
            payload = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                options={"require": ["exp"]},
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
            )
        except jwt.PyJWTError as exc:
            raise Unauthorized(_sentence(exc)) from exc
        return _claims(payload)


def open_jwts(settings: Settings) -> Jwts | None:
    """None where JWTs are off. Raises: ValueError for a JWKS file that cannot be used."""
    if settings.jwt_secret is not None:
        secret = _shared(settings.jwt_secret.get_secret_value())
        return Jwts(lambda _kid: secret, settings.jwt_issuer, settings.jwt_audience)
    if settings.jwt_jwks_file is not None:
        return Jwts(KeyFile(settings.jwt_jwks_file).find, settings.jwt_issuer, settings.jwt_audience)
    return None


def is_jwt(token: str) -> bool:
    """Whether it looks like one: header, claims and signature, with a dot between them. API keys have no dots."""
    return token.count(".") == 2


def _shared(secret: str) -> PyJWK:
    encoded = urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
    return PyJWK({"kty": "oct", "k": encoded}, algorithm="HS256")


def _claims(payload: dict[str, Any]) -> Claims:
    tenant, subject = payload.get("tenant"), payload.get("sub")
    if not _is_name(tenant):
        raise Unauthorized("this JWT lacks the claim `tenant`, the name of the tenant it acts for")
    if subject is not None and not _is_name(subject):
        raise Unauthorized("the claim `sub` of this JWT must be printable text")
    return Claims(tenant, subject, frozenset(scope for scope in Scope if scope in _scopes(payload)))


def _scopes(payload: dict[str, Any]) -> list[Any]:
    """`scope`, words with spaces between (RFC 8693), or else the list `scopes`."""
    words, listed = payload.get("scope"), payload.get("scopes", [])
    if isinstance(words, str):
        return words.split()
    if words is not None or not isinstance(listed, list):
        raise Unauthorized("scopes of a JWT stand in `scope`, with spaces between, or in the list `scopes`")
    return listed  # pyright: ignore[reportUnknownVariableType] of anything


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != "" and value.isprintable()


def _sentence(error: jwt.PyJWTError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"this JWT lacks the claim `{error.claim}`"
    return SENTENCES.get(type(error), "this JWT cannot be read: get a new one from its issuer")
