"""A user's own sessions: listed, ended one by one and all at once, never more than so many. Numbers: SECURITY.md's
checklist."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import jwt
import pytest
from redis.asyncio import Redis

from ops import ports
from ops.instance import Instance
from tests.integration.api.process import another_front
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, fields, is_valid, login, sign_up

SESSIONS = f"{BASE}/auth/sessions"
MOST = 3
EVENTS = "SELECT session_id FROM auth.security_events WHERE user_id = $1::text::uuid AND type = $2"


@pytest.fixture(scope="module")
async def narrow(servers: Instance, logs: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """A second front, without Redis, where a user has few sessions at once, for a short time."""
    away = f"redis://127.0.0.1:{ports.choose(None, ())}/0"
    settings = {
        "SESSIONS_MAX": str(MOST),
        "SESSION_EXPIRY": "60s",
        "JWT_REFRESH_TOKEN_EXPIRY": "30s",
        "REDIS_URL": away,
        "DATABASE_POOL_SIZE": "25",
    }
    async with another_front(servers, logs, **settings) as (_, client):
        yield client


async def _listed(http: httpx.AsyncClient, user: SignedIn) -> list[dict[str, Any]]:
    answer = await http.get(SESSIONS, headers=user.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def _refresh(http: httpx.AsyncClient, user: SignedIn) -> httpx.Response:
    return await http.post(f"{BASE}/auth/refresh", json={"refreshToken": user.refresh_token})


def _session_of(user: SignedIn) -> str:
    return jwt.decode(user.access_token, options={"verify_signature": False})["sid"]


async def test_sessions_are_listed_the_newest_first(http: httpx.AsyncClient, user: SignedIn) -> None:
    body = {"email": user.email, "password": PASSWORD, "deviceId": "canary-device", "deviceName": "Ada's phone"}
    await http.post(f"{BASE}/auth/login", json=body, headers={"user-agent": "Agent/1"})
    newest, oldest = await _listed(http, user)
    assert (newest["deviceName"], newest["knownDevice"], newest["userAgent"], newest["address"], newest["current"]) == (
        "Ada's phone",
        True,
        "Agent/1",
        "127.0.0.1",
        False,
    )
    assert (oldest["id"], oldest["knownDevice"], oldest["current"]) == (_session_of(user), False, True)
    assert newest["createdAt"] <= newest["lastActiveAt"] < newest["expiresAt"]
    assert newest["createdAt"].endswith("Z")
    assert "canary-device" not in str([newest, oldest]), "it opens its owner's counter of wrong guesses"


async def test_a_listed_session_can_be_ended(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    other = await login(http, user.email)
    ended = _session_of(other)
    assert (await http.delete(f"{SESSIONS}/{ended}", headers=user.headers)).json() == {"success": True}
    assert [session["id"] for session in await _listed(http, user)] == [_session_of(user)]
    assert not await is_valid(http, other.access_token)
    assert_problem(await _refresh(http, other), 401, "unauthorized")
    assert [str(row["session_id"]) for row in await owner.fetch(EVENTS, user.id, "session.listed_end")] == [ended]
    assert_problem(await http.delete(f"{SESSIONS}/{ended}", headers=user.headers), 404, "not_found")
    assert (await http.delete(f"{SESSIONS}/{_session_of(user)}", headers=user.headers)).status_code == 200
    assert_problem(await http.get(SESSIONS, headers=user.headers), 401, "unauthorized")


async def test_nobody_ends_anothers_session(http: httpx.AsyncClient, user: SignedIn) -> None:
    """[58]."""
    victim = await sign_up(http)
    others = await http.delete(f"{SESSIONS}/{_session_of(victim)}", headers=user.headers)
    nobodys = await http.delete(f"{SESSIONS}/{uuid4()}", headers=user.headers)
    assert assert_problem(others, 404, "not_found") == assert_problem(nobodys, 404, "not_found")
    assert await is_valid(http, victim.access_token)
    assert _session_of(victim) not in {session["id"] for session in await _listed(http, user)}
    wrong = assert_problem(await http.delete(f"{SESSIONS}/x", headers=user.headers), 422, "invalid_request")
    assert fields(wrong) == ["sessionId"]


async def test_all_sessions_end_at_once(
    http: httpx.AsyncClient, narrow: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[20]: in the other process too, and nobody else's; what was begun before is worth nothing."""
    other, stranger = await login(narrow, user.email), await sign_up(http)
    epoch = "SELECT credential_epoch FROM auth.users WHERE id = $1::text::uuid"
    before = await owner.fetchval(epoch, user.id)
    assert (await http.post(f"{BASE}/auth/logout-all", headers=other.headers)).json() == {"success": True}
    for session in (user, other):
        for door in (http, narrow):
            assert not await is_valid(door, session.access_token)
            assert_problem(await _refresh(door, session), 401, "unauthorized")
    async with asyncio.timeout(5):
        while (await narrow.get(f"{BASE}/credits/packages", headers=user.headers)).status_code != 401:
            await asyncio.sleep(0.02)
    assert await is_valid(http, stranger.access_token)
    assert await owner.fetchval(epoch, user.id) == (before or 0) + 1
    assert len(await owner.fetch(EVENTS, user.id, "session.all_ended")) == 1
    assert_problem(await http.post(f"{BASE}/auth/logout-all", headers=other.headers), 401, "unauthorized")


async def test_two_processes_spend_a_token_once(
    http: httpx.AsyncClient, narrow: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[1]: fifty at once, by both; one step, and the same successor for all."""
    ready = asyncio.Barrier(50)

    async def spend(door: httpx.AsyncClient) -> httpx.Response:
        await ready.wait()
        return await _refresh(door, user)

    answers = await asyncio.gather(*(spend(door) for door in (http, narrow) for _ in range(25)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refreshToken"] for answer in answers}) == 1
    assert (
        await owner.fetchval("SELECT generation FROM auth.sessions WHERE id = $1::text::uuid", _session_of(user)) == 2
    )


async def test_a_restart_forgets_no_spent_token(servers: Instance, logs: Path, user: SignedIn) -> None:
    """[3, 4, 8]: Redis emptied meanwhile; that the session has ended is seen by a connection that begins afterwards."""
    tokens = [user.refresh_token]
    for replayed in (False, True):
        async with another_front(servers, logs) as (_, door):
            for _ in range(0 if replayed else 2):
                answer = await door.post(f"{BASE}/auth/refresh", json={"refreshToken": tokens[-1]})
                tokens.append(answer.json()["refreshToken"])
            async with Redis.from_url(servers.addresses.redis) as redis:
                await redis.flushall()
            for token in tokens if replayed else ():
                answer = await door.post(f"{BASE}/auth/refresh", json={"refreshToken": token})
                assert_problem(answer, 401, "unauthorized")
            assert await is_valid(door, user.access_token) is not replayed
    connection = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    ended = "SELECT ended_reason FROM auth.sessions WHERE id = $1::text::uuid"
    assert await connection.fetchval(ended, _session_of(user)) == "reuse"
    assert len(await connection.fetch(EVENTS, user.id, "refresh.reused")) == 1
    await connection.close()


async def test_the_oldest_session_makes_room(
    narrow: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """The cap holds although many sign in at once, and each of them gets in."""
    signed_in = await asyncio.gather(*(login(narrow, user.email) for _ in range(8)))
    living = [each for each in signed_in if await is_valid(narrow, each.access_token)]
    assert len(living) == MOST
    listed = await _listed(narrow, living[0])
    assert {session["id"] for session in listed} == {_session_of(each) for each in living}
    assert not await is_valid(narrow, user.access_token)
    put_out = {str(row["session_id"]) for row in await owner.fetch(EVENTS, user.id, "session.put_out")}
    assert len(put_out) == 1 + 8 - MOST
    assert _session_of(user) in put_out
    newest = await login(narrow, user.email)
    assert (await _listed(narrow, newest))[0]["id"] == _session_of(newest)


async def test_no_access_token_outlives_its_session(narrow: httpx.AsyncClient, user: SignedIn) -> None:
    """[10]: of a session that ends within a minute neither does, and that is what the client is told."""
    body = {"email": user.email, "password": PASSWORD}
    given = (await narrow.post(f"{BASE}/auth/login", json=body)).json()
    claims = jwt.decode(given["accessToken"], options={"verify_signature": False})
    assert given["expiresIn"] == claims["exp"] - claims["iat"]
    assert 0 < given["expiresIn"] <= 60
    refreshed = (await narrow.post(f"{BASE}/auth/refresh", json={"refreshToken": given["refreshToken"]})).json()
    later = jwt.decode(refreshed["accessToken"], options={"verify_signature": False})
    assert later["exp"] <= claims["exp"]
