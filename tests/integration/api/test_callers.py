"""Which routes take whom: signed-in users, their keys, services. A route takes users alone unless it is named here.

The numbers in brackets are those of SECURITY.md's checklist.
"""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import uuid4

import asyncpg
import httpx
import pytest

from contracts.apps import PERMISSIONS
from tests.integration.api.keys import make_key
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.services import (
    INTROSPECT,
    TOKEN,
    Registered,
    ServiceToken,
    add_secret,
    give_token,
    is_active,
    register_app,
    service,
)
from tests.integration.api.users import BASE, SignedIn, assert_problem, is_valid

CREDITS: Final = f"{BASE}/credits"
OF_SERVICES: Final = frozenset({
    f"POST {CREDITS}/use",
    f"POST {CREDITS}/refund",
    f"POST {CREDITS}/grant",
    f"POST {CREDITS}/adjust",
    f"GET {CREDITS}/balance",
    f"GET {CREDITS}/transactions",
    f"GET {CREDITS}/operations/{{key}}",
    f"GET {BASE}/users/{{userId}}",
})  # fmt: skip
OF_KEYS: Final = frozenset({
    f"POST {CREDITS}/use",
    f"GET {CREDITS}/balance",
    f"GET {CREDITS}/transactions",
    f"GET {CREDITS}/transactions/{{transactionId}}",
    f"GET {CREDITS}/operations/{{key}}",
    f"GET {CREDITS}/lots",
    f"GET {CREDITS}/purchases",
    f"GET {CREDITS}/usage",
    f"GET {CREDITS}/packages",
})  # fmt: skip


@pytest.fixture(scope="module")
async def guarded(http: httpx.AsyncClient) -> dict[str, set[str]]:
    """Each operation that is for somebody, and by which schemes of the document."""
    document = (await http.get("/openapi.json")).json()
    return {
        f"{method.upper()} {path}": {name for scheme in operation["security"] for name in scheme}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "security" in operation
    }


async def _refused(http: httpx.AsyncClient, operations: set[str], headers: dict[str, str]) -> None:
    for operation in operations:
        method, path = operation.split(" ")
        for name in ("userId", "keyId", "sessionId", "transactionId", "purchaseId", "packageId", "key"):
            path = path.replace(f"{{{name}}}", str(uuid4()))
        answer = await http.request(method, path, headers=headers, json={})
        assert answer.status_code in {401, 403}, f"{operation}: {answer.status_code} {answer.text}"
        assert answer.json()["code"] in {"unauthorized", "forbidden"}, operation


async def test_a_service_is_refused_wherever_it_is_not_named(
    http: httpx.AsyncClient, owner: asyncpg.Connection, guarded: dict[str, set[str]]
) -> None:
    """[15] [64]: a token with every permission, at every other route of the document."""
    bearer = {name for name, schemes in guarded.items() if "appSecret" not in schemes}
    assert {name for name in bearer if "service" in guarded[name]} == OF_SERVICES
    assert len(bearer - OF_SERVICES) >= 40
    token = await service(http, owner, *PERMISSIONS)
    await _refused(http, bearer - OF_SERVICES, token.headers)
    assert not await is_valid(http, token.text)


async def test_a_key_is_refused_wherever_it_is_not_named(
    http: httpx.AsyncClient, user: SignedIn, guarded: dict[str, set[str]]
) -> None:
    """[15] [56]: it makes no keys, changes no address, ends no session: at every other route of the document."""
    bearer = {name for name, schemes in guarded.items() if "appSecret" not in schemes}
    assert {name for name in bearer if "apiKey" in guarded[name]} == OF_KEYS
    key = await make_key(http, user, "credits:read", "credits:use")
    await _refused(http, bearer - OF_KEYS, key.headers)
    assert not await is_valid(http, key.text)
    refreshed = await http.post(f"{BASE}/auth/refresh", json={"refreshToken": key.text})
    assert_problem(refreshed, 401, "unauthorized")


async def test_users_are_refused_where_services_are_meant(
    http: httpx.AsyncClient, user: SignedIn, guarded: dict[str, set[str]]
) -> None:
    only = {name for name, schemes in guarded.items() if schemes == {"service"}}
    assert only == OF_SERVICES - OF_KEYS
    await _refused(http, only, user.headers)
    await _refused(http, only, (await make_key(http, user, "credits:read", "credits:use")).headers)


async def test_secrets_and_keys_are_no_access_tokens(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn
) -> None:
    """[15]"""
    app = await register_app(owner, *PERMISSIONS)
    token, key = await give_token(http, app), await make_key(http, user, "credits:read")
    for text in (app.secret, f"{app.id}:{app.secret}", key.text[:-1], key.text + "x", key.text.upper(), "mana_key_"):
        answer = await http.get(f"{CREDITS}/balance", headers={"authorization": f"Bearer {text}"})
        assert_problem(answer, 401, "unauthorized")
    for shown in (token.text, key.text, user.access_token):
        for path in (TOKEN, INTROSPECT):
            body = {"grant_type": "client_credentials", "token": shown}
            for proof in ({"auth": (app.id, shown)}, {"headers": {"authorization": f"Bearer {shown}"}}):
                answer = await http.post(path, data=body, **proof)  # pyright: ignore[reportArgumentType]
                assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def _balance(http: httpx.AsyncClient, token: ServiceToken, user: SignedIn) -> int:
    answer = await http.get(f"{CREDITS}/balance", params={"userId": user.id}, headers=token.headers)
    return answer.status_code


async def _until(http: httpx.AsyncClient, token: ServiceToken, user: SignedIn, status: int) -> None:
    async with asyncio.timeout(5):
        while await _balance(http, token, user) != status:
            await asyncio.sleep(0.01)


async def test_revoking_is_felt_at_once(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, ledger: ScriptedLedger
) -> None:
    """[20]: a secret ends the tokens that it gave and no others; an app ends all of its own."""
    assert ledger.opens
    first = await register_app(owner, "users:read")
    second = await add_secret(owner, first.id, 2)
    of_first, of_second = await give_token(http, first), await give_token(http, second)
    looker = await register_app(owner, "users:read")
    # 404: the scripted ledger has opened no account.
    assert [await _balance(http, each, user) for each in (of_first, of_second)] == [404, 404]
    await owner.execute("UPDATE auth.app_secrets SET revoked_at = now() WHERE id = $1", first.secret_id)
    await _until(http, of_first, user, 401)
    assert not await is_active(http, looker, of_first.text)
    assert await _balance(http, of_second, user) == 404
    await owner.execute("UPDATE credits.apps SET revoked_at = now() WHERE id = $1", first.id)
    await _until(http, of_second, user, 401)
    assert not await is_active(http, looker, of_second.text)


async def test_a_permission_that_is_taken_away_is_felt_at_once(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, ledger: ScriptedLedger
) -> None:
    """And one that is given later is not in a token of before."""
    assert ledger.opens
    app = await register_app(owner, "users:read", "credits:use")
    token, narrow = await give_token(http, app), await give_token(http, app, "credits:use")
    assert [await _balance(http, each, user) for each in (token, narrow)] == [404, 403]
    await owner.execute("UPDATE credits.apps SET permissions = '{credits:use}' WHERE id = $1", app.id)
    await _until(http, token, user, 403)
    await owner.execute("UPDATE credits.apps SET permissions = '{credits:use,users:read,admin}' WHERE id = $1", app.id)
    await _until(http, token, user, 404)
    assert await _balance(http, narrow, user) == 403


async def test_a_front_that_hears_nothing_asks(
    http: httpx.AsyncClient,
    owner: asyncpg.Connection,
    as_api: asyncpg.Connection,
    user: SignedIn,
    ledger: ScriptedLedger,
) -> None:
    """[20]: its connection for announcements is cut, and an app is revoked while it is."""
    assert ledger.opens
    token = await service(http, owner, "users:read")
    assert await _balance(http, token, user) == 404
    await as_api.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mana-api-announcements'"
    )
    await owner.execute("UPDATE credits.apps SET revoked_at = now() WHERE id = $1", token.app.id)
    await _until(http, token, user, 401)


async def test_a_service_cannot_be_somebody_by_a_token_that_it_makes(
    http: httpx.AsyncClient, owner: asyncpg.Connection
) -> None:
    """[64]: an app whose id is a user's is an app all the same."""
    app: Registered = await register_app(owner, *PERMISSIONS, app_id=str(uuid4()))
    token = await give_token(http, app)
    assert_problem(await http.get(f"{BASE}/auth/me", headers=token.headers), 401, "unauthorized")
    assert_problem(await http.get(f"{CREDITS}/lots", headers=token.headers), 403, "forbidden")
