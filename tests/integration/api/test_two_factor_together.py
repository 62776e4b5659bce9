"""A second factor beside passwords that change, browsers and limits. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http.cookies import SimpleCookie
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest

from ops.instance import Instance
from tests.integration.api.authenticator import ANSWER, Enrolled, age_sessions, answer, challenge
from tests.integration.api.process import another_front
from tests.integration.api.users import BASE, PASSWORD, assert_problem
from tests.integration.auth.links import newest_link

NEW_PASSWORD = "another horse battery staple"
SITE = "https://mana.example.com"
OURS = {"x-mana-session": "cookie", "origin": SITE, "sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
async def limited(servers: Instance, logs: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """A front with few exports, as a site's pages know it."""
    settings = {"RATE_LIMIT_EXPORT": "2/1d", "PUBLIC_URL": SITE}
    async with another_front(servers, logs, **settings) as (_, client):
        yield client


async def test_a_reset_password_still_wants_the_second_factor(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[42] [43]: it begins no session, and what was begun with the old password is dead."""
    pending = await challenge(http, enrolled.user.email)
    forgotten = await http.post(f"{BASE}/auth/password/forgot", json={"email": enrolled.user.email})
    assert forgotten.json() == {"success": True}
    link = await newest_link(owner, "reset_requested", enrolled.user.email)
    reset = await http.post(f"{BASE}/auth/password/reset", json={"token": link, "newPassword": NEW_PASSWORD})
    assert reset.json() == {"success": True}
    assert "set-cookie" not in reset.headers
    live = "SELECT count(*) FROM auth.sessions WHERE user_id = $1 AND ended_at IS NULL"
    assert await owner.fetchval(live, UUID(enrolled.user.id)) == 0
    code = await enrolled.unused_code(owner)
    assert_problem(await answer(http, pending, code=code), 401, "unauthorized")
    begun = await http.post(f"{BASE}/auth/login", json={"email": enrolled.user.email, "password": NEW_PASSWORD})
    assert set(begun.json()) == {"twoFactorRequired", "challenge"}
    assert (await answer(http, begun.json()["challenge"], code=code)).status_code == 200


async def test_a_changed_password_ends_challenges(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[42]."""
    pending = await challenge(http, enrolled.user.email)
    body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    changed = await http.post(f"{BASE}/auth/password/change", json=body, headers=enrolled.user.headers)
    assert changed.status_code == 200, changed.text
    assert_problem(await answer(http, pending, code=await enrolled.unused_code(owner)), 401, "unauthorized")


async def test_whoever_answers_challenges_rightly_is_never_held_up(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[31]: more sign-ins than wrong guesses are let through, from no device and from a known one."""
    for device in ({}, {"deviceId": "laptop"}):
        for _ in range(12):
            given = await challenge(http, enrolled.user.email, **device)
            answered = await answer(http, given, code=await enrolled.unused_code(owner), **device)
            assert answered.status_code == 200, answered.text


async def test_a_browser_answers_from_the_device_of_its_cookie(
    limited: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[48] [60]: the refresh token goes into the cookie alone."""
    body = {"email": enrolled.user.email, "password": PASSWORD}
    begun = await limited.post(f"{BASE}/auth/login", json=body, headers=OURS)
    limited.cookies.clear()
    jar: SimpleCookie = SimpleCookie(begun.headers["set-cookie"])
    assert set(jar) == {"__Host-mana_device"}, "no session yet"
    reply = {"challenge": begun.json()["challenge"], "code": await enrolled.unused_code(owner)}
    assert_problem(await limited.post(ANSWER, json=reply, headers=OURS), 401, "unauthorized")
    foreign = OURS | {"origin": "https://evil.example.com"}
    assert_problem(await limited.post(ANSWER, json=reply, headers=foreign), 403, "forbidden")
    known = OURS | {"cookie": f"__Host-mana_device={jar['__Host-mana_device'].value}"}
    answered = await limited.post(ANSWER, json=reply, headers=known)
    limited.cookies.clear()
    assert answered.status_code == 200, answered.text
    assert answered.json()["refreshToken"] is None
    assert "__Host-mana_refresh=" in answered.headers["set-cookie"]


async def test_exports_are_few(limited: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection) -> None:
    """Those that were made: who has to sign in again first has lost none."""
    await age_sessions(owner, enrolled.user)
    for _ in range(3):
        refused = await limited.get(f"{BASE}/auth/me/export", headers=enrolled.user.headers)
        assert_problem(refused, 403, "forbidden")
    proof = {"password": PASSWORD, "code": await enrolled.unused_code(owner)}
    proven = await limited.post(f"{BASE}/auth/reauthenticate", json=proof, headers=enrolled.user.headers)
    assert proven.status_code == 200, proven.text
    for _ in range(2):
        assert (await limited.get(f"{BASE}/auth/me/export", headers=enrolled.user.headers)).status_code == 200
    refused = await limited.get(f"{BASE}/auth/me/export", headers=enrolled.user.headers)
    assert_problem(refused, 429, "rate_limited")
    assert refused.headers["retry-after"]
