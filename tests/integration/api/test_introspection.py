"""``POST /auth/introspect`` (RFC 7662): what a token says, to apps that may read users; of a bad one nothing but that.

The numbers in brackets are those of SECURITY.md's checklist.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import jwt
import pytest

from api.apps.oauth import FORM
from contracts.apps import PERMISSIONS
from tests.integration.api.keys import KEYS, make_key
from tests.integration.api.services import INTROSPECT, Registered, give_token, is_active, register_app
from tests.integration.api.users import BASE, SignedIn


@pytest.fixture
async def looker(owner: asyncpg.Connection) -> Registered:
    """An app that may read users."""
    return await register_app(owner, "users:read")


async def _explained(http: httpx.AsyncClient, looker: Registered, token: str) -> dict[str, Any]:
    answer = await http.post(INTROSPECT, data={"token": token, "token_type_hint": "refresh_token"}, auth=looker.basic)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def _claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


async def test_a_users_token(http: httpx.AsyncClient, user: SignedIn, looker: Registered) -> None:
    told = await _explained(http, looker, user.access_token)
    about = {"active": True, "token_type": "Bearer", "username": user.email}
    assert told == {**_claims(user.access_token), **about}


async def test_a_services_token(http: httpx.AsyncClient, owner: asyncpg.Connection, looker: Registered) -> None:
    """Its scope is what is left of it."""
    app = await register_app(owner, "credits:use", "credits:refund")
    token = await give_token(http, app)
    assert await _explained(http, looker, token.text) == {**_claims(token.text), "active": True, "token_type": "Bearer"}
    await owner.execute("UPDATE credits.apps SET permissions = '{credits:refund,admin}' WHERE id = $1", app.id)
    told = await _explained(http, looker, token.text)
    assert (told["active"], told["scope"]) == (True, "credits:refund")


async def test_a_key(http: httpx.AsyncClient, user: SignedIn, looker: Registered) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    key = await make_key(http, user, "credits:use", "credits:read", expiresAt=until.isoformat())
    told = await _explained(http, looker, key.text)
    made = int(datetime.fromisoformat(key.told["createdAt"]).timestamp())
    assert told == {
        "active": True,
        "token_type": "Bearer",
        "sub": user.id,
        "scope": "credits:read credits:use",
        "iat": made,
        "exp": int(until.timestamp()),
    }


async def test_to_look_at_a_key_is_no_use_of_it(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, looker: Registered
) -> None:
    """Its user is told when the script was there last, not when somebody asked about the key."""
    key = await make_key(http, user, "credits:read")
    assert await is_active(http, looker, key.text)
    last_used = "SELECT last_used_at FROM auth.api_keys WHERE id = $1"
    assert await owner.fetchval(last_used, key.id) is None
    assert (await http.get(f"{BASE}/credits/transactions", headers=key.headers)).status_code == 200
    assert await owner.fetchval(last_used, key.id) is not None


async def test_what_is_not_good_is_inactive_and_nothing_else(
    http: httpx.AsyncClient, user: SignedIn, looker: Registered
) -> None:
    """[20]: whatever is wrong with it."""
    ended = user.access_token
    key = await make_key(http, user, "credits:read")
    assert (await http.delete(f"{KEYS}/{key.id}", headers=user.headers)).status_code == 200
    assert await is_active(http, looker, ended)
    assert (await http.post(f"{BASE}/auth/logout", headers=user.headers)).status_code == 200
    bad = ["x", "a.b.c", ended, ended + "x", user.refresh_token, key.text, "mana_key_", looker.secret, "é" * 1_000]
    for token in bad:
        assert await _explained(http, looker, token) == {"active": False}, token


async def test_who_may_ask(http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn) -> None:
    """[64]: only apps, by their secret, with leave to read users."""
    body = {"token": user.access_token}
    for permission in PERMISSIONS:
        app = await register_app(owner, permission)
        may = permission in {"users:read", "admin"}
        for answer in (
            await http.post(INTROSPECT, data=body, auth=app.basic),
            await http.post(INTROSPECT, data={**body, "client_id": app.id, "client_secret": app.secret}),
        ):
            assert answer.status_code == (200 if may else 403), answer.text
            assert ("active" in answer.json()) == may
            assert may or answer.json()["error"] == "insufficient_scope"
    token = await give_token(http, await register_app(owner, "users:read"))
    for headers in ({}, user.headers, token.headers):
        answer = await http.post(INTROSPECT, data=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_request_that_is_none(http: httpx.AsyncClient, looker: Registered) -> None:
    for body in ({}, {"token": ""}):
        answer = await http.post(INTROSPECT, data=body, auth=looker.basic, headers={"content-type": FORM})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
