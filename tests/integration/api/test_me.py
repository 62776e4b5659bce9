"""What users see and change of themselves. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import httpx

from tests.integration.api.authenticator import enrol
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.users import (
    BASE,
    PASSWORD,
    SignedIn,
    assert_problem,
    fields,
    login,
    new_email,
)

ME = f"{BASE}/auth/me"


async def _patch(http: httpx.AsyncClient, user: SignedIn, body: Any) -> httpx.Response:
    return await http.patch(ME, json=body, headers=user.headers)


async def test_users_see_themselves(http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection) -> None:
    assert ledger.opens
    email = new_email()
    body = {"email": email, "password": PASSWORD, "name": "Ada"}
    await http.post(f"{BASE}/auth/register", json=body, headers={"accept-language": "de-AT,en;q=0.5"})
    answer = await http.get(ME, headers=(await login(http, email)).headers)
    assert answer.headers["cache-control"] == "no-store"
    me = answer.json()
    assert set(me) == {"id", "email", "name", "role", "emailVerified", "createdAt", "twoFactor", "language"}
    assert (me["email"], me["name"], me["twoFactor"], me["language"]) == (email, "Ada", False, "de")
    enrolled = await enrol(http, owner)
    assert (await http.get(ME, headers=enrolled.user.headers)).json()["twoFactor"] is True


async def test_a_name_is_changed_and_cleared(http: httpx.AsyncClient, user: SignedIn) -> None:
    before = (await http.get(ME, headers=user.headers)).json()
    for name in ("Grace", None):
        changed = await _patch(http, user, {"name": name})
        assert changed.json() == before | {"name": name}
        assert (await http.get(ME, headers=user.headers)).json() == changed.json()


async def test_nothing_but_the_name_is_changed(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[58]."""
    before = await owner.fetchrow("SELECT * FROM auth.users WHERE id = $1", UUID(user.id))
    others = {"role": "admin", "emailVerified": True, "email": "x@example.com", "id": user.id, "bannedAt": None}
    problem = assert_problem(await _patch(http, user, {"name": "Eve", **others}), 422, "invalid_request")
    assert sorted(fields(problem)) == sorted(others)
    for body in ({}, {"name": ""}, {"name": 5}, {"name": "x" * 201}, {"name": "a\x00b"}):
        assert fields(assert_problem(await _patch(http, user, body), 422, "invalid_request")) == ["name"]
    assert await owner.fetchrow("SELECT * FROM auth.users WHERE id = $1", UUID(user.id)) == before


async def test_an_ended_session_sees_and_changes_nothing(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[20]: by the database, whatever the front remembers."""
    await owner.execute(
        "UPDATE auth.sessions SET ended_at = now(), ended_reason = 'revoked' WHERE user_id = $1", UUID(user.id)
    )
    for method, path in (("GET", ME), ("PATCH", ME), ("DELETE", ME), ("GET", f"{ME}/export")):
        body = {"name": "Eve"} if method == "PATCH" else None
        refused = await http.request(method, path, json=body, headers=user.headers)
        assert_problem(refused, 401, "unauthorized")
