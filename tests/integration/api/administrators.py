"""Administrators, and what they ask the front for."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx

from tests.integration.api.users import BASE, SignedIn, login, sign_up

ADMIN = f"{BASE}/admin"
USE = {"amount": 1, "appId": "chat", "description": "d"}
SPAM = {"reason": "spam"}
PACKAGE: dict[str, Any] = {"name": "N", "description": "d", "credits": 5, "priceEuroCents": 100, "sortOrder": 800}


async def administrator(http: httpx.AsyncClient, owner: asyncpg.Connection) -> SignedIn:
    """A new administrator with a session."""
    user = await sign_up(http)
    await owner.execute("UPDATE auth.users SET role = 'admin' WHERE id = $1::text::uuid", user.id)
    return await login(http, user.email)


async def do(
    http: httpx.AsyncClient, by: SignedIn, method: str, path: str, body: dict[str, Any] | None = None
) -> httpx.Response:
    """What an administrator is answered, or who wants to be one."""
    return await http.request(method, ADMIN + path, json=body, headers=by.headers)


async def done(
    http: httpx.AsyncClient, by: SignedIn, method: str, path: str, body: dict[str, Any] | None = None
) -> Any:
    """What came of an act that was let through."""
    answer = await do(http, by, method, path, body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def spend(http: httpx.AsyncClient, user: SignedIn, key: str) -> httpx.Response:
    """A use of one credit of the user's."""
    return await http.post(f"{BASE}/credits/use", json={**USE, "idempotencyKey": key}, headers=user.headers)


async def acts_on(owner: asyncpg.Connection, user: SignedIn, by: SignedIn) -> list[str]:
    """What was written down of an administrator and this user, oldest first."""
    rows = await owner.fetch(
        "SELECT type FROM auth.security_events WHERE user_id = $1::text::uuid AND actor_id = $2::text::uuid"
        " ORDER BY created_at, id",
        user.id,
        by.id,
    )
    return [row["type"] for row in rows]
