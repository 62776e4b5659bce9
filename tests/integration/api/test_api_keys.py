"""Keys of users' own scripts: who makes them, what they open, and how they end.

The numbers in brackets are those of SECURITY.md's checklist.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import httpx
import pytest

from tests.integration.api.administrators import administrator, do
from tests.integration.api.authenticator import age_sessions
from tests.integration.api.keys import KEYS, Key, make_key
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.locks import until_waiting
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, fields, sign_up
from tests.integration.auth.links import newest_link

CREDITS: Final = f"{BASE}/credits"
Act = Callable[[httpx.AsyncClient, SignedIn, asyncpg.Connection], Awaitable[httpx.Response]]
USE: Final[dict[str, Any]] = {"amount": 1, "appId": "chat", "description": "d"}


def _in(**time: float) -> str:
    return f"{datetime.now(UTC) + timedelta(**time):%FT%T.%fZ}"


async def _read(http: httpx.AsyncClient, key: Key) -> httpx.Response:
    return await http.get(f"{CREDITS}/transactions", headers=key.headers)


async def _use(http: httpx.AsyncClient, key: Key) -> httpx.Response:
    return await http.post(f"{CREDITS}/use", json=USE, headers=key.headers)


async def test_a_key_is_shown_once_and_kept_as_its_hash(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[44] [56]"""
    key = await make_key(http, user, "credits:read", "credits:use", expiresAt=_in(days=30))
    assert key.text.startswith(f"mana_key_{key.id}_")
    (listed,) = (await http.get(KEYS, headers=user.headers)).json()
    assert listed == key.told
    assert listed.keys() == {"id", "name", "scopes", "createdAt", "expiresAt", "lastUsedAt"}
    row = await owner.fetchrow("SELECT hash, k::text AS whole FROM auth.api_keys k WHERE id = $1", key.id)
    assert row is not None
    assert row["hash"] == hashlib.sha256(key.text.encode()).digest()
    assert key.text.rpartition("_")[2] not in row["whole"]


async def test_a_key_opens_what_its_scopes_say(http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger) -> None:
    """[56]"""
    reads, uses = await make_key(http, user, "credits:read"), await make_key(http, user, "credits:use")
    for path in ("transactions", "lots", "purchases", "packages"):
        assert (await http.get(f"{CREDITS}/{path}", headers=reads.headers)).status_code == 200
        assert_problem(await http.get(f"{CREDITS}/{path}", headers=uses.headers), 403, "forbidden")
    assert_problem(await _use(http, reads), 403, "forbidden")
    assert (await _use(http, uses)).status_code == 200
    _, body, message = ledger.seen[-1]
    assert (body["userId"], message.user_id, dict(message.headers)) == (user.id, "mana-front", {})


async def test_an_id_without_its_secret_opens_nothing(http: httpx.AsyncClient, user: SignedIn) -> None:
    """[55]: neither with another's, nor with one that is nearly right."""
    key, other = await make_key(http, user, "credits:read"), await make_key(http, await sign_up(http), "credits:read")
    last = "A" if key.text[-1] != "A" else "B"
    for text in (key.text[:-1] + last, f"mana_key_{key.id}_{other.text.rpartition(f'{other.id}_')[2]}"):
        answer = await http.get(f"{CREDITS}/transactions", headers={"authorization": f"Bearer {text}"})
        assert_problem(answer, 401, "unauthorized")
    assert (await _read(http, key)).status_code == 200


async def test_keys_are_the_users_own(http: httpx.AsyncClient, user: SignedIn) -> None:
    """[55] [58]: nobody makes, sees or revokes another's, whatever the body says."""
    other = await sign_up(http)
    key = await make_key(http, user, "credits:read")
    body = {"name": "n", "scopes": ["credits:read"]}
    for named in ({"userId": user.id}, {"user_id": user.id}):
        answer = await http.post(KEYS, json={**body, **named}, headers=other.headers)
        assert fields(assert_problem(answer, 422, "invalid_request")) == list(named)
    assert (await http.get(KEYS, headers=other.headers)).json() == []
    assert_problem(await http.delete(f"{KEYS}/{key.id}", headers=other.headers), 404, "not_found")
    for method, path, sent in (("GET", KEYS, None), ("POST", KEYS, body), ("DELETE", f"{KEYS}/{key.id}", None)):
        assert_problem(await http.request(method, path, json=sent), 401, "unauthorized")
    assert (await _read(http, key)).status_code == 200


async def test_a_key_cannot_widen_itself(http: httpx.AsyncClient, user: SignedIn) -> None:
    """[56]: every way to another key, and to what a key is not for."""
    key = await make_key(http, user, "credits:read", "credits:use")
    body, own = {"name": "n", "scopes": ["credits:read"]}, f"{KEYS}/{key.id}"
    for method, path, sent in (
        ("GET", KEYS, None),
        ("POST", KEYS, body),
        ("DELETE", own, None),
        ("POST", f"{BASE}/auth/email/change", {"email": "ada@example.com"}),
    ):
        assert_problem(await http.request(method, path, json=sent, headers=key.headers), 401, "unauthorized")
    assert (await _read(http, key)).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["admin"]}, "scopes.0"),
        ({"scopes": ["credits:read", "users:read"]}, "scopes.1"),
        ({"scopes": ["credits:read", "credits:read"]}, "scopes"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"expiresAt": _in(days=366)}, "expiresAt"),
        ({"expiresAt": _in(seconds=-1)}, "expiresAt"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"expiresAt": 7}, "expiresAt"),
    ],
)
async def test_a_key_that_is_none(http: httpx.AsyncClient, user: SignedIn, change: dict[str, Any], field: str) -> None:
    body = {"name": "n", "scopes": ["credits:read"], **change}
    answer = await http.post(KEYS, json=body, headers=user.headers)
    assert fields(assert_problem(answer, 422, "invalid_request"))[0] == field
    assert (await http.get(KEYS, headers=user.headers)).json() == []


async def test_a_key_is_over_with_its_second(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[56]: expired by one second; it is still listed, for it is not revoked."""
    key = await make_key(http, user, "credits:read", expiresAt=_in(days=1))
    moved = "UPDATE auth.api_keys SET expires_at = now() + $2::interval WHERE id = $1"
    await owner.execute(moved, key.id, timedelta(seconds=60))
    assert (await _read(http, key)).status_code == 200
    await owner.execute(moved, key.id, timedelta(seconds=-1))
    assert_problem(await _read(http, key), 401, "unauthorized")
    assert len((await http.get(KEYS, headers=user.headers)).json()) == 1


async def test_a_revoked_key_is_refused_from_then_on(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[20] [56]: by every front with the commit, for each of them asks the database."""
    key, other = await make_key(http, user, "credits:read"), await make_key(http, user, "credits:read")
    answer = await http.delete(f"{KEYS}/{key.id}", headers=user.headers)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    refused = assert_problem(await _read(http, key), 401, "unauthorized")
    unknown = await http.get(f"{CREDITS}/transactions", headers={"authorization": f"Bearer {key.text[:-4]}AAAA"})
    assert assert_problem(unknown, 401, "unauthorized") == refused
    assert [each["id"] for each in (await http.get(KEYS, headers=user.headers)).json()] == [other.id]
    assert_problem(await http.delete(f"{KEYS}/{key.id}", headers=user.headers), 404, "not_found")
    events = await owner.fetch(
        "SELECT type, details->>'keyId' AS key, session_id IS NOT NULL AS signed_in FROM auth.security_events"
        " WHERE user_id = $1::text::uuid AND type LIKE 'api_key.%' ORDER BY created_at",
        user.id,
    )
    assert [tuple(event) for event in events] == [
        ("api_key.created", key.id, True),
        ("api_key.created", other.id, True),
        ("api_key.revoked", key.id, True),
    ]


async def test_making_one_needs_a_recent_sign_in(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[50]: an open session alone may be a stolen one; revoking needs none."""
    key = await make_key(http, user, "credits:read")
    await age_sessions(owner, user)
    answer = await http.post(KEYS, json={"name": "n", "scopes": ["credits:read"]}, headers=user.headers)
    assert assert_problem(answer, 403, "forbidden")["details"] == {"reauthenticate": True}
    assert (await http.delete(f"{KEYS}/{key.id}", headers=user.headers)).status_code == 200


async def test_no_more_are_good_at_once_than_25(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, as_api: asyncpg.Connection
) -> None:
    """Also where they are made side by side, all of them begun; one that is expired or revoked leaves its place."""
    for _ in range(23):
        await make_key(http, user, "credits:read")
    body = {"name": "n", "scopes": ["credits:read"]}
    async with owner.transaction():
        await owner.execute("SELECT FROM auth.users WHERE id = $1::text::uuid FOR UPDATE", user.id)
        asked = [asyncio.create_task(http.post(KEYS, json=body, headers=user.headers)) for _ in range(6)]
        await until_waiting(as_api, len(asked))
    made = await asyncio.gather(*asked)
    assert sorted(each.status_code for each in made) == [201, 201, 403, 403, 403, 403]
    (refused, *_) = (each for each in made if each.status_code == 403)
    assert assert_problem(refused, 403, "forbidden")["details"] == {"max": 25}
    first, second, *_ = (await http.get(KEYS, headers=user.headers)).json()
    assert (await http.delete(f"{KEYS}/{first['id']}", headers=user.headers)).status_code == 200
    await owner.execute("UPDATE auth.api_keys SET expires_at = now() WHERE id = $1", second["id"])
    for _ in range(2):
        await make_key(http, user, "credits:read")
    assert_problem(await http.post(KEYS, json=body, headers=user.headers), 403, "forbidden")


async def test_a_use_is_written_down_once_a_minute(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    key = await make_key(http, user, "credits:read")
    assert key.told["lastUsedAt"] is None
    told = "SELECT last_used_at FROM auth.api_keys WHERE id = $1"
    await asyncio.gather(*(_read(http, key) for _ in range(5)))
    first = await owner.fetchval(told, key.id)
    assert first is not None
    await _read(http, key)
    assert await owner.fetchval(told, key.id) == first
    await owner.execute("UPDATE auth.api_keys SET last_used_at = now() - interval '61 s' WHERE id = $1", key.id)
    await _read(http, key)
    assert await owner.fetchval(told, key.id) > first


async def _change(http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> httpx.Response:
    body = {"currentPassword": PASSWORD, "newPassword": "a battery of correct staples"}
    return await http.post(f"{BASE}/auth/password/change", json=body, headers=user.headers)


async def _reset(http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> httpx.Response:
    await http.post(f"{BASE}/auth/password/forgot", json={"email": user.email})
    link = await newest_link(owner, "reset_requested", user.email)
    body = {"token": link, "newPassword": "a battery of correct staples"}
    return await http.post(f"{BASE}/auth/password/reset", json=body)


async def _sign_out(http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> httpx.Response:
    return await http.post(f"{BASE}/auth/logout-all", headers=user.headers)


async def _sign_out_by_another(http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> httpx.Response:
    return await do(http, await administrator(http, owner), "DELETE", f"/users/{user.id}/sessions")


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        (_change, "password.changed"),
        (_reset, "password.reset"),
        (_sign_out, "session.all_ended"),
        (_sign_out_by_another, "admin.sessions_ended"),
    ],
)
async def test_what_shuts_others_out_ends_keys(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, act: Act, cause: str
) -> None:
    """[42]: whoever took the account over may have made them. Each is an event; other users keep theirs."""
    keys = [await make_key(http, user, "credits:read") for _ in range(2)]
    revoked, expired = await make_key(http, user, "credits:read"), await make_key(http, user, "credits:read")
    assert (await http.delete(f"{KEYS}/{revoked.id}", headers=user.headers)).status_code == 200
    await owner.execute("UPDATE auth.api_keys SET expires_at = now() WHERE id = $1", expired.id)
    others = await make_key(http, await sign_up(http), "credits:read")
    assert (await act(http, user, owner)).status_code == 200
    for key in keys:
        assert_problem(await _read(http, key), 401, "unauthorized")
    assert (await _read(http, others)).status_code == 200
    events = await owner.fetch(
        "SELECT details->>'keyId' AS key FROM auth.security_events WHERE user_id = $1::text::uuid"
        " AND type = 'api_key.revoked' AND details->>'because' = $2 AND address IS NOT NULL",
        user.id,
        cause,
    )
    assert sorted(event["key"] for event in events) == sorted(key.id for key in keys)


async def test_a_ban_and_a_deletion_end_keys(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[57]: a ban ends them for good; whoever is deleted has none."""
    key = await make_key(http, user, "credits:read")
    for banned_at in ("now()", "NULL"):
        await owner.execute(f"UPDATE auth.users SET banned_at = {banned_at} WHERE id = $1::text::uuid", user.id)
        assert_problem(await _read(http, key), 401, "unauthorized")
    fresh = await make_key(http, user, "credits:read")
    assert (await _read(http, fresh)).status_code == 200
    assert (await http.delete(f"{BASE}/auth/me", headers=user.headers)).status_code == 200
    assert_problem(await _read(http, fresh), 401, "unauthorized")
    assert await owner.fetchval("SELECT count(*) FROM auth.api_keys WHERE user_id = $1::text::uuid", user.id) == 0


async def test_keys_that_are_long_over_do_not_pile_up(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    old, recent = await make_key(http, user, "credits:read"), await make_key(http, user, "credits:read")
    ended = "UPDATE auth.api_keys SET revoked_at = now() - $2::interval WHERE id = $1"
    await owner.execute(ended, old.id, timedelta(days=91))
    await owner.execute(ended, recent.id, timedelta(days=89))
    await make_key(http, user, "credits:read")
    left = await owner.fetch("SELECT id FROM auth.api_keys WHERE user_id = $1::text::uuid", user.id)
    assert old.id not in {row["id"] for row in left}
    assert len(left) == 2
