"""Access tokens that are not ours, or not access tokens, open nothing. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import OKPAlgorithm

from api.auth.keys import SigningKey
from api.auth.keystore import KeyStore
from api.database import Database
from ops.instance import Instance
from tests.integration.api.process import front, until_ready
from tests.integration.api.users import BASE, SignedIn, assert_problem, login, sign_up

Json = dict[str, Any]


@pytest.fixture
async def key(servers: Instance, user: SignedIn) -> AsyncGenerator[SigningKey]:
    """The key that the front signs with: so that each forgery differs from a good token in one thing only."""
    async with Database.connected(servers.addresses.database_as("mana_api"), 1, "test") as database:
        store = KeyStore(database, base64.b64decode(servers.addresses.secrets.front_key))
        yield next(stored.signing for stored in (await store.load()).keys if stored.signing is not None)


def _parts(token: str) -> tuple[Json, Json]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


async def _good(http: httpx.AsyncClient, token: str) -> bool:
    """Whether the token opens a route; ``validate`` must agree."""
    answer = await http.get(f"{BASE}/credits/packages", headers={"authorization": f"Bearer {token}"})
    validated = (await http.post(f"{BASE}/auth/validate", json={"token": token})).json()["valid"]
    assert validated == (answer.status_code == 200)
    assert answer.status_code in {200, 401}
    return validated


def _sign(key: SigningKey, header: Json, claims: Json) -> str:
    return jwt.encode(claims, key.private, key.algorithm, header)


async def test_the_same_token_signed_again_is_good(http: httpx.AsyncClient, user: SignedIn, key: SigningKey) -> None:
    header, claims = _parts(user.access_token)
    assert await _good(http, _sign(key, header, claims))


@pytest.mark.parametrize("claim", ["sub", "email", "role", "sid", "iss", "aud", "iat", "exp", "jti"])
async def test_every_claim_is_needed(http: httpx.AsyncClient, user: SignedIn, key: SigningKey, claim: str) -> None:
    """[14]."""
    header, claims = _parts(user.access_token)
    del claims[claim]
    assert not await _good(http, _sign(key, header, claims))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "other"},
        {"aud": "other"},
        {"aud": ["mana", "other"]},
        {"exp": 1_700_000_000},
        {"exp": "9999999999"},
        {"iat": int(time.time()) + 86_400},
        {"nbf": int(time.time()) + 86_400},
        {"role": "owner"},
        {"sub": "nobody"},
        {"sub": 5},
        {"sid": "x"},
        {"extra": 1},
    ],
    ids=str,
)
async def test_claims_that_are_wrong(http: httpx.AsyncClient, user: SignedIn, key: SigningKey, change: Json) -> None:
    """[14]."""
    header, claims = _parts(user.access_token)
    assert not await _good(http, _sign(key, header, claims | change))


@pytest.mark.parametrize(
    "change",
    [
        {"typ": "JWT"},
        {"typ": "rt+jwt"},
        {"crit": ["exp"]},
        {"jwk": {"kty": "OKP"}},
        {"jku": "http://127.0.0.1/keys"},
        {"x5u": "http://127.0.0.1/x"},
        {"b64": False},
        {"kid": "unknown"},
        {"kid": ""},
    ],
    ids=str,
)
async def test_headers_that_are_not_ours(
    http: httpx.AsyncClient, user: SignedIn, key: SigningKey, change: Json
) -> None:
    """[13, 15]."""
    header, claims = _parts(user.access_token)
    assert not await _good(http, jwt.encode(claims, key.private, key.algorithm, header | change))


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk"])
async def test_no_key_is_fetched_from_where_a_token_says(http: httpx.AsyncClient, user: SignedIn, name: str) -> None:
    """[13]: the token is signed by the key that it leads to, and nobody ever calls there."""
    called = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set()
        writer.close()

    header, claims = _parts(user.access_token)
    own = Ed25519PrivateKey.generate()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
        jwk = json.loads(OKPAlgorithm.to_jwk(own.public_key()))
        more = {name: jwk if name == "jwk" else address}
        for kid in (header["kid"], "theirs"):
            assert not await _good(http, jwt.encode(claims, own, "EdDSA", {**header, **more, "kid": kid}))
        assert not called.is_set()


async def test_no_other_algorithm_than_the_keys_own(http: httpx.AsyncClient, user: SignedIn, key: SigningKey) -> None:
    """[12]: none; HS256 keyed with every form of the public key; RS256, ES256 and EdDSA by somebody else's key."""
    header, claims = _parts(user.access_token)
    public = key.public
    secrets = [
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(key.jwk).encode(),
        b"",
    ]
    forged = [_hs256(header, claims, secret) for secret in secrets]
    forged.append(_hs256(header, claims, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)))
    forged.append(_joined({**header, "alg": "none"}, claims) + ".")
    forged.append(jwt.encode(claims, generate_private_key(65_537, 2_048), "RS256", {**header, "alg": "RS256"}))
    forged.append(jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {**header, "alg": "ES256"}))
    forged.append(jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", header))
    forged.append(user.access_token.rpartition(".")[0] + ".")
    for token in forged:
        assert not await _good(http, token)


async def test_a_refresh_token_is_no_access_token(http: httpx.AsyncClient, user: SignedIn) -> None:
    """[15]."""
    assert not await _good(http, user.refresh_token)
    answer = await http.post(f"{BASE}/auth/refresh", json={"refreshToken": user.access_token})
    assert_problem(answer, 401, "unauthorized")


async def test_unknown_key_names_do_not_flood_the_database(
    http: httpx.AsyncClient, user: SignedIn, key: SigningKey, owner: asyncpg.Connection
) -> None:
    """[16]: good tokens pass meanwhile."""
    header, claims = _parts(user.access_token)
    for number in range(50):
        assert not await _good(http, _sign(key, {**header, "kid": f"{number:043}"}, claims))
    assert await _good(http, user.access_token)


async def test_jwks_verifies_tokens_and_shows_no_private_half(http: httpx.AsyncClient, user: SignedIn) -> None:
    """[19]."""
    answer = await http.get("/.well-known/jwks.json")
    assert answer.json() == (await http.get(f"{BASE}/auth/jwks")).json()
    assert "max-age" in answer.headers["cache-control"]
    assert all(not {"d", "p", "q", "k"} & set(one) for one in answer.json()["keys"])
    header = jwt.get_unverified_header(user.access_token)
    (found,) = [one for one in answer.json()["keys"] if one["kid"] == header["kid"]]
    public = jwt.PyJWK(found)
    assert jwt.decode(user.access_token, public, [found["alg"]], audience="mana", issuer="mana")["sub"] == user.id


async def test_no_key_lies_in_the_clear(user: SignedIn, key: SigningKey, owner: asyncpg.Connection) -> None:
    """[19]."""
    seed = key.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    sealed = await owner.fetchval("SELECT sealed_private_key FROM auth.signing_keys WHERE kid = $1", key.kid)
    assert seed not in bytes(sealed or b"")
    assert sealed


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
async def test_an_imported_key_signs(
    servers: Instance,
    tmp_path_factory: pytest.TempPathFactory,
    user: SignedIn,
    owner: asyncpg.Connection,
    algorithm: str,
) -> None:
    private = generate_private_key(65_537, 2_048) if algorithm == "RS256" else Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    before = jwt.get_unverified_header(user.access_token)
    settings = {"JWT_PRIVATE_KEY": pem.replace("\n", "\\n"), "JWT_PUBLIC_KEY": public}
    try:
        async with front(servers, tmp_path_factory.mktemp("import"), **settings) as process:
            await until_ready(process)
            async with httpx.AsyncClient(base_url=process.url, timeout=20) as http:
                # It was announced, as every key is that comes beside another.
                await owner.execute("UPDATE auth.signing_keys SET active_from = now() WHERE active_from > now()")
                signed_in = await sign_up(http)
                async with asyncio.timeout(10):
                    while (header := jwt.get_unverified_header(signed_in.access_token)) == before:
                        signed_in = await login(http, signed_in.email)
                assert header["alg"] == algorithm
                assert await _good(http, signed_in.access_token)
                assert await _good(http, user.access_token)
                # An attacker who has the RSA public key signs with it as an HMAC secret [12].
                header, claims = _parts(signed_in.access_token)
                assert not await _good(http, _hs256(header, claims, public.encode()))
    finally:
        await owner.execute(
            "DELETE FROM auth.signing_keys WHERE kid <> $1", jwt.get_unverified_header(user.access_token)["kid"]
        )


def _hs256(header: Json, claims: Json, secret: bytes) -> str:
    """By hand: the library refuses to sign with what looks like a public key."""

    text = _joined({**header, "alg": "HS256"}, claims)
    return f"{text}.{_encoded(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def _joined(header: Json, claims: Json) -> str:
    return f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
