"""JWTs: who may have signed them, and what they must say."""

import json
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import ValidationError
from structlog.testing import capture_logs

from dbrag.accounts.jwts import LEEWAY_S, Jwts, is_jwt, open_jwts
from dbrag.accounts.model import Scope
from dbrag.errors import Unauthorized
from dbrag.settings import Settings

SECRET = "0123456789abcdef" * 2
NOW = int(time.time())
DAY_S = 86_400  # longer than a run of all tests, at whose beginning NOW is
VALID: dict[str, Any] = {"tenant": "acme", "scope": "read search", "exp": NOW + DAY_S}
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def settings(**given: Any) -> Settings:
    return Settings.model_validate({"database_url": "postgresql://x", "celery_broker_url": "redis://x"} | given)


def reader(**given: Any) -> Jwts:
    jwts = open_jwts(settings(**given))
    assert jwts
    return jwts


def signed(key: Any = SECRET, algorithm: str = "HS256", kid: str | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in (VALID | changes).items() if value is not None}
    return jwt.encode(claims, key, algorithm, {"kid": kid} if kid else None)


def refusal(jwts: Jwts, token: str) -> str:
    with pytest.raises(Unauthorized) as refused:
        jwts.claims(token)
    return refused.value.detail


def public(key: Any, kid: str | None, **more: str) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return algorithm.to_jwk(key.public_key(), as_dict=True) | ({"kid": kid} if kid else {}) | more


def write(path: Path, *keys: dict[str, Any]) -> None:
    """A new file under this name, as a rotation leaves it."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"keys": keys}))
    new.replace(path)


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    write(path, public(RSA_KEY, "rsa"), public(EC_KEY, "ec"))
    return path


def test_a_valid_one_says_tenant_subject_and_scopes() -> None:
    claims = reader(jwt_secret=SECRET).claims(signed(sub="ann", iat=NOW, nbf=NOW))
    assert (claims.tenant, claims.subject, claims.scopes) == ("acme", "ann", {Scope.READ, Scope.SEARCH})


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "ingest  manage"}, {Scope.INGEST, Scope.MANAGE}),
        ({"scope": None, "scopes": ["read", "ingest"]}, {Scope.READ, Scope.INGEST}),
        ({"scope": "read openid READ admin"}, {Scope.READ}),
        ({"scope": None, "scopes": ["read", 1, ["search"], None]}, {Scope.READ}),
        ({"scope": "read", "scopes": ["manage"]}, {Scope.READ}),
        ({"scope": ""}, set()),
        ({"scope": None}, set()),
    ],
)
def test_scopes_stand_in_either_claim_and_unknown_ones_are_left_out(claims: dict[str, Any], scopes: set[Scope]) -> None:
    assert reader(jwt_secret=SECRET).claims(signed(**claims)).scopes == scopes


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"exp": NOW - LEEWAY_S - 5}, "has expired"),
        ({"exp": None}, "lacks the claim `exp`"),
        ({"exp": "soon"}, "cannot be read"),
        ({"nbf": NOW + DAY_S}, "is not valid yet"),
        ({"iat": NOW + DAY_S}, "is not valid yet"),
        ({"tenant": None}, "lacks the claim `tenant`"),
        ({"tenant": ""}, "lacks the claim `tenant`"),
        ({"tenant": ["acme"]}, "lacks the claim `tenant`"),
        ({"tenant": "a\0b"}, "lacks the claim `tenant`"),
        ({"tenant": "a\ud800"}, "lacks the claim `tenant`"),
        ({"sub": 7}, "cannot be read"),
        ({"sub": "a\nb"}, "`sub`"),
        ({"scope": 7}, "`scope`"),
        ({"scope": None, "scopes": "read"}, "`scopes`"),
        ({"aud": "somebody"}, "DBRAG_JWT_AUDIENCE"),
    ],
)
def test_a_wrong_claim_is_refused(claims: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(reader(jwt_secret=SECRET), signed(**claims))


def test_clocks_may_differ_a_little() -> None:
    now = int(time.time())
    assert reader(jwt_secret=SECRET).claims(signed(exp=now, nbf=now + LEEWAY_S - 2))


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"iss": "https://evil", "aud": "dbrag"}, "DBRAG_JWT_ISSUER"),
        ({"aud": "dbrag"}, "lacks the claim `iss`"),
        ({"iss": "https://good", "aud": "else"}, "DBRAG_JWT_AUDIENCE"),
        ({"iss": "https://good"}, "lacks the claim `aud`"),
    ],
)
def test_another_issuer_or_audience_is_refused(claims: dict[str, Any], sentence: str) -> None:
    jwts = reader(jwt_secret=SECRET, jwt_issuer="https://good", jwt_audience="dbrag")
    assert jwts.claims(signed(iss="https://good", aud=["else", "dbrag"]))
    assert sentence in refusal(jwts, signed(**claims))


def test_another_secret_is_refused() -> None:
    assert "signature" in refusal(reader(jwt_secret=SECRET), signed("x" * 32))


def test_a_changed_claim_is_refused() -> None:
    head, _, signature = signed().split(".")
    claims = urlsafe_b64encode(json.dumps(VALID | {"tenant": "other"}).encode()).rstrip(b"=").decode()
    assert "signature" in refusal(reader(jwt_secret=SECRET), f"{head}.{claims}.{signature}")


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_with_a_secret_only_hs256_is_taken(algorithm: str) -> None:
    token = signed(None if algorithm == "none" else SECRET * 2, algorithm)
    assert "another algorithm" in refusal(reader(jwt_secret=SECRET), token)
    rs256 = signed(RSA_KEY, "RS256")
    assert "another algorithm" in refusal(reader(jwt_secret=SECRET), rs256)


@pytest.mark.parametrize("token", ["..", "a.b.c", "e30.e30.", "eyJhbGciOiJIUzI1NiJ9..", "é.é.é", "W10.W10.W10"])
def test_what_is_no_jwt_is_refused(token: str) -> None:
    assert is_jwt(token)
    assert refusal(reader(jwt_secret=SECRET), token)


def test_keys_of_a_file_are_taken_by_their_id(jwks: Path) -> None:
    jwts = reader(jwt_jwks_file=jwks)
    assert jwts.claims(signed(RSA_KEY, "RS256", "rsa")).tenant == "acme"
    assert jwts.claims(signed(EC_KEY, "ES256", "ec")).tenant == "acme"


def test_an_only_key_needs_no_id(jwks: Path) -> None:
    write(jwks, public(EC_KEY, None))
    assert reader(jwt_jwks_file=jwks).claims(signed(EC_KEY, "ES256"))


@pytest.mark.parametrize("kid", [None, "unknown"])
def test_a_jwt_must_say_which_key_of_several(jwks: Path, kid: str | None) -> None:
    assert "`kid`" in refusal(reader(jwt_jwks_file=jwks), signed(RSA_KEY, "RS256", kid))


def hmac_with_public_key(jwks: Path) -> str:
    """The trick of CVE-2015-9235: the public key, which anybody has, as the secret of HS256."""
    pem = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header, claims = (
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "typ": "JWT", "kid": "rsa"}, VALID)
    )
    signature = jwt.get_algorithm_by_name("HS256").sign(header + b"." + claims, pem)
    return b".".join([header, claims, urlsafe_b64encode(signature).rstrip(b"=")]).decode()


FORGED: dict[str, Callable[[Path], str]] = {
    "none": lambda _: signed(None, "none", "rsa"),
    "the public key as a secret": hmac_with_public_key,
    "a secret of somebody's": lambda _: signed(SECRET, "HS256", "rsa"),
    "the algorithm of another key": lambda _: signed(EC_KEY, "ES256", "rsa"),
    "another length": lambda _: signed(RSA_KEY, "RS512", "rsa"),
    "PSS": lambda _: signed(RSA_KEY, "PS256", "rsa"),
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_header_does_not_choose_the_algorithm(jwks: Path, forged: str) -> None:
    assert "another algorithm" in refusal(reader(jwt_jwks_file=jwks), FORGED[forged](jwks))


def test_a_stranger_with_a_key_of_the_same_id_is_refused(jwks: Path) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert "signature" in refusal(reader(jwt_jwks_file=jwks), signed(stranger, "RS256", "rsa"))


def test_the_file_is_read_again_when_it_changes(jwks: Path) -> None:
    jwts = reader(jwt_jwks_file=jwks)
    write(jwks, public(EC_KEY, "new"))
    assert jwts.claims(signed(EC_KEY, "ES256", "new"))
    assert "`kid`" in refusal(jwts, signed(RSA_KEY, "RS256", "rsa"))


@pytest.mark.parametrize("content", ['{"keys": [', "[]", '{"keys": []}', None])
def test_a_file_that_breaks_later_changes_nothing_and_is_logged_once(jwks: Path, content: str | None) -> None:
    jwts = reader(jwt_jwks_file=jwks)
    if content is None:
        jwks.unlink()
    else:
        jwks.write_text(content)
        os.utime(jwks, ns=(1, 1))
    with capture_logs() as logs:
        for _ in range(3):
            assert jwts.claims(signed(RSA_KEY, "RS256", "rsa"))
    assert [entry["event"] for entry in logs] == ["jwks_file_unusable"]


def unusable() -> dict[str, dict[str, Any]]:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    secret = urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    return {
        "a secret": {"kty": "oct", "k": secret, "kid": "1"},
        "a short key": public(short, "1"),
        "a key for encryption": public(RSA_KEY, "1", use="enc"),
        "a key of another algorithm": public(RSA_KEY, "1", alg="PS256"),
    }


@pytest.mark.parametrize("kind", ["a secret", "a short key", "a key for encryption", "a key of another algorithm"])
def test_a_file_without_a_key_that_can_be_used_is_refused_at_the_start(jwks: Path, kind: str) -> None:
    write(jwks, unusable()[kind])
    with pytest.raises(ValueError, match=r"DBRAG_JWT_JWKS_FILE .* has no key that can be used"):
        reader(jwt_jwks_file=jwks)


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"keys": 7}', '{"keys": []}', "\0\x80"])
def test_a_file_that_is_no_jwks_is_refused_at_the_start(jwks: Path, content: str) -> None:
    jwks.write_text(content, encoding="latin-1")
    with pytest.raises(ValueError, match=r"DBRAG_JWT_JWKS_FILE .* is no JWKS file that can be read"):
        reader(jwt_jwks_file=jwks)


def test_a_file_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="DBRAG_JWT_JWKS_FILE"):
        reader(jwt_jwks_file=tmp_path / "none.json")


def test_jwts_are_off_by_default() -> None:
    assert open_jwts(settings()) is None


def test_a_short_secret_is_refused_and_not_printed() -> None:
    with pytest.raises(ValidationError, match="DBRAG_JWT_SECRET must have 32 bytes at least") as refused:
        settings(jwt_secret="short-secret")
    assert "short-secret" not in str(refused.value)
    assert open_jwts(settings(jwt_secret="é" * 16)), "32 bytes"


def test_a_secret_and_a_file_are_not_mixed(jwks: Path) -> None:
    with pytest.raises(ValidationError, match="not both"):
        settings(jwt_secret=SECRET, jwt_jwks_file=jwks)
