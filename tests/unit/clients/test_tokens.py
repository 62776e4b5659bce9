"""Goal: only tokens of the issuer are good, and its keys are fetched seldom, whatever tokens are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from mana_client import InvalidToken, KeysUnavailable, ServiceToken, UserToken
from mana_client.tokens import keys

from api.auth.keys import SigningKey, generate
from tests.unit.clients.issuer import OF_SERVICE, OF_USER, USER, Issuer, dated

REMOVED = "removed"
DOWN = httpx.ConnectError("nobody listens")


@pytest.fixture(scope="module")
def rsa() -> SigningKey:
    """Its making takes some tenths of a second."""
    return generate("RS256")


@pytest.fixture
def issuer() -> Issuer:
    """With an Ed25519 key."""
    return Issuer()


class Clock:
    """Seconds, which pass as the test says."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which keys grow old."""
    found = Clock()
    monkeypatch.setattr(keys, "monotonic", found)
    return found


async def test_a_users_token(issuer: Issuer) -> None:
    token = await issuer.verifier().verify(issuer.token(OF_USER))
    assert isinstance(token, UserToken)
    assert (token.user_id, token.email, token.role) == (USER, "ada@example.com", "user")
    assert (token.session_id, token.expires_at.timestamp()) == (OF_USER["sid"], token.claims["iat"] + 900)


async def test_a_services_token(issuer: Issuer) -> None:
    token = await issuer.verifier().verify(issuer.token(OF_SERVICE))
    assert isinstance(token, ServiceToken)
    assert (token.app_id, token.scopes) == ("chat", {"credits:use", "credits:refund"})
    assert (token.role, token.secret_id) == ("service", "k3f9x0a2b7c1")


async def test_an_rsa_key(rsa: SigningKey) -> None:
    issuer = Issuer(rsa)
    assert (await issuer.verifier().verify(issuer.token(OF_USER))).role == "user"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "evil"}, {"aud": "other"}, {"aud": ["mana", "other"]}, {"exp": -60},
        {"iat": 600}, {"nbf": 600}, {"sub": "ada"}, {"sub": 1}, {"role": ["admin"]},
        {"email": None}, {"sid": 1}, {"exp": "soon"}, {"exp": 1e300}, {"role": "service"},
        *({name: REMOVED} for name in OF_USER),
    ],
    ids=str,
)  # fmt: skip
async def test_a_users_token_that_is_not_good(issuer: Issuer, wrong: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**OF_USER, **wrong}.items() if value is not REMOVED}
    with pytest.raises(InvalidToken):
        await issuer.verifier().verify(issuer.token(claims))


@pytest.mark.parametrize(
    "wrong", [{"client_id": "other"}, {"scope": REMOVED}, {"scope": ["credits:use"]}, {"client_id": REMOVED}], ids=str
)
async def test_a_services_token_that_is_not_good(issuer: Issuer, wrong: dict[str, Any]) -> None:
    claims = {name: value for name, value in {**OF_SERVICE, **wrong}.items() if value is not REMOVED}
    with pytest.raises(InvalidToken):
        await issuer.verifier().verify(issuer.token(claims))


def _unsigned(issuer: Issuer) -> str:
    return jwt.encode(dated(OF_USER), "", "none", {"typ": "at+jwt", "kid": issuer.key.kid})


def _with_the_public_key_as_secret(issuer: Issuer) -> str:
    return jwt.encode(dated(OF_USER), issuer.key.jwk["x"], "HS256", {"typ": "at+jwt", "kid": issuer.key.kid})


def _of_another_kind(issuer: Issuer) -> str:
    other = generate("RS256")
    return jwt.encode(dated(OF_USER), other.private, "RS256", {"typ": "at+jwt", "kid": issuer.key.kid})


def _of_another_key(issuer: Issuer) -> str:
    return jwt.encode(dated(OF_USER), generate().private, "EdDSA", {"typ": "at+jwt", "kid": issuer.key.kid})


_FORGED: dict[str, Callable[[Issuer], str]] = {
    "unsigned": _unsigned,
    "public key as secret": _with_the_public_key_as_secret,
    "another kind": _of_another_kind,
    "another key": _of_another_key,
    "unknown key": Issuer.stranger,
    "an id token": lambda issuer: issuer.token(OF_USER, typ="JWT"),
    "critical": lambda issuer: issuer.token(OF_USER, crit=["b64"], b64=True),
    "no token": lambda _: "abc",
    "nothing": lambda _: "",
    "changed": lambda issuer: issuer.token(OF_USER)[:-6] + "AAAAAA",
    "too long": lambda issuer: issuer.token({**OF_USER, "more": "x" * 9_000}),
}


@pytest.mark.parametrize("forged", _FORGED)
async def test_a_forged_token(issuer: Issuer, forged: str) -> None:
    with pytest.raises(InvalidToken):
        await issuer.verifier().verify(_FORGED[forged](issuer))


@pytest.mark.filterwarnings("ignore:The RSA key is")
async def test_a_key_that_is_too_short_is_none(rsa: SigningKey) -> None:
    private = generate_private_key(65_537, 1024)
    issuer = Issuer(SigningKey(private.public_key(), "RS256", rsa.kid, private))
    issuer.keys.append(generate())
    with pytest.raises(InvalidToken):
        await issuer.verifier().verify(issuer.token(OF_USER))


async def _is_good(verifier: Any, token: str) -> bool:
    try:
        await verifier.verify(token)
    except InvalidToken:
        return False
    return True


async def test_keys_are_fetched_once_for_all_who_wait(issuer: Issuer) -> None:
    verifier, token = issuer.verifier(), issuer.token(OF_USER)
    assert all(await asyncio.gather(*(_is_good(verifier, token) for _ in range(50))))
    assert issuer.fetches == 1


async def test_who_waits_may_go(issuer: Issuer) -> None:
    verifier, token = issuer.verifier(), issuer.token(OF_USER)
    first, second = (asyncio.create_task(_is_good(verifier, token)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert (first.cancelled(), issuer.fetches) == (True, 1)


async def test_unknown_keys_cause_one_fetch_in_a_while(issuer: Issuer, clock: Clock) -> None:
    verifier = issuer.verifier(cooldown=10)
    assert await _is_good(verifier, issuer.token(OF_USER))
    strangers = [issuer.stranger() for _ in range(1_000)]
    assert not any([await _is_good(verifier, token) for token in strangers[:500]])
    assert issuer.fetches == 1
    clock.now += 10
    assert not any(await asyncio.gather(*(_is_good(verifier, token) for token in strangers)))
    assert issuer.fetches == 2


async def test_a_new_key_is_found(issuer: Issuer, clock: Clock) -> None:
    verifier = issuer.verifier(cooldown=10)
    assert await _is_good(verifier, issuer.token(OF_USER))
    issuer.key = generate()
    issuer.keys.append(issuer.key)
    assert not await _is_good(verifier, issuer.token(OF_USER))
    clock.now += 10
    assert await _is_good(verifier, issuer.token(OF_USER))


async def test_a_key_that_was_withdrawn_is_none_any_more(issuer: Issuer, clock: Clock) -> None:
    verifier, old = issuer.verifier(fresh=300), issuer.token(OF_USER)
    assert await _is_good(verifier, old)
    issuer.keys = [generate()]
    clock.now += 300
    assert await _is_good(verifier, old), "it is still fresh"
    clock.now += 1
    assert not await _is_good(verifier, old)


@pytest.mark.parametrize(
    "failure", [DOWN, httpx.Response(500), httpx.Response(200, text="<html>"), httpx.Response(200, json={"keys": []})]
)
async def test_where_new_keys_cannot_be_had_the_old_ones_count(
    issuer: Issuer, clock: Clock, failure: httpx.Response | httpx.HTTPError
) -> None:
    verifier, token = issuer.verifier(fresh=300, stale=3_600), issuer.token(OF_USER)
    assert await _is_good(verifier, token)
    issuer.fails = failure
    clock.now += 3_600
    assert await _is_good(verifier, token)
    assert await _is_good(verifier, token)
    assert issuer.fetches == 2, "it is not asked without a pause"
    clock.now += 1
    with pytest.raises(KeysUnavailable):
        await verifier.verify(token)
    issuer.fails = None
    clock.now += 1
    assert await _is_good(verifier, token)


async def test_without_any_key_nothing_can_be_said(issuer: Issuer) -> None:
    issuer.fails = DOWN
    with pytest.raises(KeysUnavailable):
        await issuer.verifier().verify(issuer.token(OF_USER))
