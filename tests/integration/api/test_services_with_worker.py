"""Services and users' keys with a real ledger worker behind the front."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.integration.api.administrators import SPAM, done
from tests.integration.api.keys import make_key
from tests.integration.api.services import ServiceToken, service
from tests.integration.api.users import BASE, SignedIn, assert_problem

CREDITS = f"{BASE}/credits"


async def _send(http: httpx.AsyncClient, token: ServiceToken, name: str, user: SignedIn, **body: Any) -> Any:
    answer = await http.post(f"{CREDITS}/{name}", json={"userId": user.id, **body}, headers=token.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["transaction"]


async def _get(http: httpx.AsyncClient, token: ServiceToken, path: str, user: SignedIn) -> httpx.Response:
    return await http.get(f"{CREDITS}/{path}", params={"userId": user.id}, headers=token.headers)


async def test_what_services_do_is_found_everywhere_alike(
    http: httpx.AsyncClient, owner: asyncpg.Connection, spender: SignedIn
) -> None:
    chat = await service(http, owner)
    office = await service(http, owner, "credits:grant", "credits:adjust", "users:read")
    used = await _send(http, chat, "use", spender, amount=3, appId=chat.app.id, description="d", idempotencyKey="u")
    assert (used["amount"], used["appId"], used["origin"]) == (-3, chat.app.id, "app")
    back = await _send(http, chat, "refund", spender, transactionId=used["id"], amount=1, idempotencyKey="r")
    assert (back["amount"], back["refersTo"]) == (1, used["id"])
    granted = await _send(http, office, "grant", spender, amount=5, description="sorry", source="bonus")
    adjusted = await _send(http, office, "adjust", spender, amount=-2, description="d", reason="ticket 7")
    assert (granted["type"], adjusted["type"]) == ("bonus", "adjustment")

    assert (await _get(http, office, "balance", spender)).json()["freeCreditsRemaining"] == 150 - 3 + 1 + 5 - 2
    listed = await _get(http, office, "transactions", spender)
    assert [each["id"] for each in listed.json()[:4]] == [each["id"] for each in (adjusted, granted, back, used)]
    paged = await http.get(f"{CREDITS}/transactions", params={"userId": spender.id, "limit": 2}, headers=office.headers)
    following = await http.get(paged.links["next"]["url"], headers=office.headers)
    assert [each["id"] for each in following.json()] == [back["id"], used["id"]]
    assert (await _get(http, chat, "operations/u", spender)).json()["transaction"] == used


async def test_a_service_sees_its_own_apps_operations(
    http: httpx.AsyncClient, owner: asyncpg.Connection, spender: SignedIn
) -> None:
    """[64]: others' only with leave to read users; and it gives back no others' usages."""
    chat, other = await service(http, owner), await service(http, owner)
    reader = await service(http, owner, "users:read")
    used = await _send(http, chat, "use", spender, amount=3, appId=chat.app.id, description="d", idempotencyKey="u")
    assert (await _get(http, reader, "operations/u", spender)).json()["transaction"] == used
    assert_problem(await _get(http, other, "operations/u", spender), 404, "not_found")
    body = {"userId": spender.id, "transactionId": used["id"]}
    answer = await http.post(f"{CREDITS}/refund", json=body, headers=other.headers)
    assert_problem(answer, 403, "app_mismatch")


async def test_who_is_banned_is_neither_charged_by_services_nor_by_keys(
    http: httpx.AsyncClient, owner: asyncpg.Connection, spender: SignedIn, admin: SignedIn
) -> None:
    """[57]: keys end with the ban, for good."""
    chat, key = await service(http, owner), await make_key(http, spender, "credits:use", "credits:read")
    use = {"amount": 1, "appId": chat.app.id, "description": "d"}
    by_key = await http.post(f"{CREDITS}/use", json=use, headers=key.headers)
    assert (by_key.status_code, by_key.json()["transaction"]["origin"]) == (200, "user")
    await done(http, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    by_app = await http.post(f"{CREDITS}/use", json={**use, "userId": spender.id}, headers=chat.headers)
    assert_problem(by_app, 403, "account_frozen")
    await done(http, admin, "POST", f"/users/{spender.id}/unban", SPAM)
    assert_problem(await http.post(f"{CREDITS}/use", json=use, headers=key.headers), 401, "unauthorized")
    by_app = await http.post(f"{CREDITS}/use", json={**use, "userId": spender.id}, headers=chat.headers)
    assert by_app.status_code == 200, by_app.text


@pytest.mark.usefixtures("running_worker")
async def test_what_waits_for_a_user_goes_before_what_services_do(
    http: httpx.AsyncClient, owner: asyncpg.Connection
) -> None:
    """The account of somebody who has just signed up while the broker was away; later, a ban: looked at each time."""
    chat, user = await service(http, owner), str(uuid4())

    async def waits(command: str, **fields: Any) -> None:
        body = json.dumps({"userId": user, "idempotencyKey": f"mana:{command}", **fields})
        add = "INSERT INTO auth.outbox (id, user_id, command, body) VALUES (gen_random_uuid(), $1::text::uuid, $2, $3)"
        await owner.execute(add, user, command, body)

    async def use() -> httpx.Response:
        body = {"userId": user, "amount": 1, "appId": chat.app.id, "description": "d"}
        return await http.post(f"{CREDITS}/use", json=body, headers=chat.headers)

    assert_problem(await use(), 404, "unknown_user")
    await waits("account.open")
    answer = await use()
    assert answer.status_code == 200, answer.text
    await waits("account.freeze", reason="spam")
    assert_problem(await use(), 403, "account_frozen")
    assert await owner.fetchval("SELECT count(*) FROM auth.outbox WHERE user_id = $1::text::uuid", user) == 0
