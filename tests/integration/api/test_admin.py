"""Administration, with a real ledger worker behind it: who may, what an act ends, and that each is written down."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from tests.integration.api.administrators import ADMIN, PACKAGE, SPAM, acts_on, do, done, spend
from tests.integration.api.authenticator import age_sessions
from tests.integration.api.locks import until_waiting
from tests.integration.api.process import Process
from tests.integration.api.users import SignedIn, assert_problem, fields, login, new_email, pages, register, sign_up

ROUTES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/users", None),
    ("GET", "/users/{user}", None),
    ("PATCH", "/users/{user}", {"role": "admin"}),
    ("POST", "/users/{user}/ban", SPAM),
    ("POST", "/users/{user}/unban", SPAM),
    ("GET", "/users/{user}/sessions", None),
    ("DELETE", "/users/{user}/sessions", None),
    ("DELETE", "/users/{user}/sessions/{session}", None),
    ("GET", "/events", None),
    ("GET", "/packages", None),
    ("PUT", "/packages/forbidden", PACKAGE),
    ("DELETE", "/packages/credits-500", None),
]
_UNTOUCHED = """
SELECT role, banned_at, credential_epoch, (SELECT count(*) FROM auth.sessions WHERE ended_at IS NULL AND user_id = $1),
    (SELECT count(*) FROM auth.security_events WHERE user_id = $1 AND actor_id IS NOT NULL),
    (SELECT json_agg(packages ORDER BY id)::text FROM credits.packages)
FROM auth.users WHERE id = $1
"""


async def _refused_everywhere(http: httpx.AsyncClient, by: SignedIn, owner: asyncpg.Connection, user: SignedIn) -> None:
    """Each route says 403, and the user and the packages are as before."""
    (session,) = await owner.fetch("SELECT id FROM auth.sessions WHERE user_id = $1::text::uuid", user.id)
    before = await owner.fetchrow(_UNTOUCHED, UUID(user.id))
    for method, path, body in ROUTES:
        answer = await do(http, by, method, path.format(user=user.id, session=session["id"]), body)
        assert_problem(answer, 403, "forbidden")
    assert await owner.fetchrow(_UNTOUCHED, UUID(user.id)) == before


async def test_users_may_not(http: httpx.AsyncClient, spender: SignedIn, owner: asyncpg.Connection) -> None:
    """[58]: on others and on themselves."""
    stranger = await sign_up(http)
    await _refused_everywhere(http, spender, owner, stranger)
    await _refused_everywhere(http, spender, owner, spender)
    for method, path, body in ROUTES:
        answer = await http.request(method, ADMIN + path.format(user=spender.id, session=uuid4()), json=body)
        assert_problem(answer, 401, "unauthorized")


async def test_an_administrator_of_before_may_not(
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn, owner: asyncpg.Connection
) -> None:
    """The token says administrator for minutes more: the database is asked for each act and each look."""
    await owner.execute("UPDATE auth.users SET role = 'user' WHERE id = $1::text::uuid", admin.id)
    await _refused_everywhere(http, admin, owner, spender)


async def test_who_is_put_out_while_waiting_for_the_lock_does_nothing(
    http: httpx.AsyncClient,
    spender: SignedIn,
    admin: SignedIn,
    owner: asyncpg.Connection,
    as_api: asyncpg.Connection,
) -> None:
    """[57]: the guard let the request through; its session ends while it waits."""
    user = UUID(spender.id)
    before = await owner.fetchrow(_UNTOUCHED, user)
    async with owner.transaction():
        await owner.execute("SELECT 1 FROM auth.users WHERE id = $1 FOR UPDATE", user)
        acts = [asyncio.create_task(do(http, admin, "POST", f"/users/{spender.id}/ban", SPAM))]
        acts.append(asyncio.create_task(do(http, admin, "PATCH", f"/users/{spender.id}", {"role": "admin"})))
        await until_waiting(as_api, len(acts))
        assert not any(act.done() for act in acts)
        await owner.execute(
            "UPDATE auth.sessions SET ended_at = now(), ended_reason = 'revoked' WHERE user_id = $1::text::uuid",
            admin.id,
        )
    assert {(await act).status_code for act in acts} == {401, 403}
    assert await owner.fetchrow(_UNTOUCHED, user) == before


async def test_another_role_ends_the_sessions_and_needs_a_recent_sign_in(
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn, owner: asyncpg.Connection
) -> None:
    promote = ("PATCH", f"/users/{spender.id}", {"role": "admin"})
    await age_sessions(owner, admin)
    problem = assert_problem(await do(http, admin, *promote), 403, "forbidden")
    assert problem["details"] == {"reauthenticate": True}
    fresh = await login(http, admin.email)
    assert (await done(http, fresh, *promote))["role"] == "admin"
    assert_problem(await spend(http, spender, "k"), 401, "unauthorized")
    promoted = await login(http, spender.email)
    assert len(await done(http, promoted, "GET", "/users?limit=1")) == 1
    assert (await done(http, fresh, "PATCH", f"/users/{spender.id}", {"role": "user"}))["role"] == "user"
    assert_problem(await do(http, promoted, "GET", "/users"), 401, "unauthorized")
    told = await owner.fetch(
        "SELECT details FROM auth.security_events WHERE type = 'user.role_changed' AND user_id = $1::text::uuid"
        " ORDER BY id",
        spender.id,
    )
    assert [row["details"] for row in told] == ['{"from":"user","to":"admin"}', '{"from":"admin","to":"user"}']


@pytest.mark.parametrize(("method", "path", "body"), [ROUTES[2], *ROUTES[3:5]])
async def test_nobody_acts_on_themselves(
    http: httpx.AsyncClient, admin: SignedIn, method: str, path: str, body: dict[str, Any]
) -> None:
    assert_problem(await do(http, admin, method, path.format(user=admin.id), body), 403, "forbidden")
    assert (await done(http, admin, "GET", f"/users/{admin.id}"))["role"] == "admin"


@pytest.mark.parametrize(("method", "path", "body"), ROUTES[1:8])
async def test_a_user_that_nobody_is(
    http: httpx.AsyncClient, admin: SignedIn, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = await do(http, admin, method, path.format(user=uuid4(), session=uuid4()), body)
    assert_problem(answer, 404, "not_found")


async def test_sessions_are_seen_and_ended(
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn, owner: asyncpg.Connection
) -> None:
    stranger, second = await sign_up(http), await login(http, spender.email)
    newest, oldest = await done(http, admin, "GET", f"/users/{spender.id}/sessions")
    assert set(newest) == {"id", "deviceName", "address", "userAgent", "createdAt", "lastActiveAt", "expiresAt"}
    (others,) = await done(http, admin, "GET", f"/users/{stranger.id}/sessions")
    end = f"/users/{spender.id}/sessions"
    assert_problem(await do(http, admin, "DELETE", f"{end}/{others['id']}"), 404, "not_found")
    assert (await spend(http, stranger, "k")).status_code == 200, "another's lives on"
    assert await done(http, admin, "DELETE", f"{end}/{oldest['id']}") == {"success": True}
    assert_problem(await do(http, admin, "DELETE", f"{end}/{oldest['id']}"), 404, "not_found")
    assert_problem(await spend(http, spender, "k"), 401, "unauthorized")
    assert (await spend(http, second, "k")).status_code == 200
    assert await done(http, admin, "DELETE", end) == {"success": True}
    assert_problem(await spend(http, second, "k"), 401, "unauthorized")
    assert await done(http, admin, "GET", end) == []
    assert await acts_on(owner, spender, admin) == [
        "admin.viewed",
        "admin.sessions_ended",
        "admin.sessions_ended",
        "admin.viewed",
    ]


async def test_users_are_found_by_the_beginning_of_their_address(
    http: httpx.AsyncClient, admin: SignedIn, running_worker: Process
) -> None:
    name = new_email().partition("@")[0]
    found = [(await register(http, f"{name}{number}@example.com"))["id"] for number in range(5)]
    everything = await done(http, admin, "GET", f"/users?email={name.upper()}")
    assert [user["id"] for user in everything] == found
    assert set(everything[0]) == {
        *("id", "email", "name", "role", "emailVerified", "createdAt", "bannedAt", "banReason", "language")
    }
    assert await pages(http, admin, f"{ADMIN}/users?email={name}&limit=2") == everything
    assert await done(http, admin, "GET", f"/users?email={name}%25") == [], "a percent sign is one"
    assert len(await done(http, admin, "GET", "/users?limit=3")) == 3


async def test_events_name_both_and_are_found_page_by_page(
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn
) -> None:
    await done(http, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    await done(http, admin, "POST", f"/users/{spender.id}/unban", {"reason": "it was not them"})
    of_user = f"/events?userId={spender.id}"
    (event,) = await done(http, admin, "GET", f"{of_user}&type=user.banned")
    assert (event["userId"], event["actorId"], event["address"]) == (spender.id, admin.id, "127.0.0.1")
    assert event["details"] == SPAM
    (event,) = await done(http, admin, "GET", f"{of_user}&type=user.unbanned")
    assert event["details"] == {"reason": "it was not them"}
    everything = [e for e in await done(http, admin, "GET", of_user) if e["type"] != "admin.viewed"]
    assert [e["type"] for e in everything] == [
        *("user.unbanned", "user.banned", "sign_in.succeeded", "user.registered"),
    ]
    paged = await pages(http, admin, f"{ADMIN}{of_user}&limit=1")
    assert [e for e in paged if e["type"] != "admin.viewed"] == everything
    since = everything[1]["createdAt"]
    later = await done(http, admin, "GET", f"{of_user}&from={since}")
    assert [e["type"] for e in later if e["type"] != "admin.viewed"] == ["user.unbanned", "user.banned"]


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("GET", "/users?limit=0", None, "limit"),
        ("GET", "/users?limit=201", None, "limit"),
        ("GET", "/users?cursor=x", None, "cursor"),
        ("GET", "/users?email=%00", None, "email"),
        ("GET", "/users?name=x", None, "name"),
        ("GET", "/events?cursor=1.2", None, "cursor"),
        ("GET", "/events?cursor=99999999999999999999.01900000-0000-7000-8000-000000000001", None, "cursor"),
        ("GET", "/events?type=DROP", None, "type"),
        ("GET", "/events?from=yesterday", None, "from"),
        ("GET", "/users/x", None, "userId"),
        ("POST", "/users/{user}/ban", {}, "reason"),
        ("POST", "/users/{user}/ban", {"reason": ""}, "reason"),
        ("POST", "/users/{user}/ban", {"reason": "x" * 501}, "reason"),
        ("POST", "/users/{user}/ban", {"reason": "x", "role": "admin"}, "role"),
        ("PATCH", "/users/{user}", {"role": "owner"}, "role"),
        ("PATCH", "/users/{user}", {"role": "admin", "emailVerified": True}, "emailVerified"),
    ],
)
async def test_what_cannot_be_meant(
    http: httpx.AsyncClient, admin: SignedIn, method: str, path: str, body: dict[str, Any] | None, field: str
) -> None:
    """[58]."""
    answer = await do(http, admin, method, path.format(user=uuid4()), body)
    assert field in fields(assert_problem(answer, 422, "invalid_request"))
