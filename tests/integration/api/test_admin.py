"""Administration, with a real ledger worker behind it: who may, what an act ends, and that each is written down."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import asyncpg
import httpx
import msgspec
import pytest

from contracts.topology import COMMANDS_EXCHANGE, FRONT_LOGIN
from ops import ports
from ops.instance import Instance
from ops.urls import with_login
from tests.integration.api.authenticator import age_sessions
from tests.integration.api.process import Process, front, relay, until_ready
from tests.integration.api.users import (
    BASE,
    PASSWORD,
    SignedIn,
    assert_problem,
    fields,
    is_valid,
    login,
    new_email,
    pages,
    register,
    sign_up,
)
from tests.integration.auth.rows import add_token

ADMIN = f"{BASE}/admin"
USE = {"amount": 1, "appId": "chat", "description": "d"}
SPAM = {"reason": "spam"}
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
]
_UNTOUCHED = """
SELECT role, banned_at, credential_epoch, (SELECT count(*) FROM auth.sessions WHERE ended_at IS NULL AND user_id = $1),
    (SELECT count(*) FROM auth.security_events WHERE user_id = $1 AND actor_id IS NOT NULL)
FROM auth.users WHERE id = $1
"""


@pytest.fixture(scope="module")
async def deaf(servers: Instance, logs: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """A front that cannot reach the broker."""
    nowhere = with_login(f"amqp://127.0.0.1:{ports.choose(None, ())}/", FRONT_LOGIN, "x")
    async with (
        front(servers, logs, AMQP_URL=nowhere) as process,
        httpx.AsyncClient(base_url=process.url, timeout=20) as client,
    ):
        yield client


@pytest.fixture
async def admin(http: httpx.AsyncClient, owner: asyncpg.Connection, running_worker: Process) -> SignedIn:
    """An administrator with a session."""
    return await _administrator(http, owner)


async def _administrator(http: httpx.AsyncClient, owner: asyncpg.Connection) -> SignedIn:
    user = await sign_up(http)
    await owner.execute("UPDATE auth.users SET role = 'admin' WHERE id = $1::text::uuid", user.id)
    return await login(http, user.email)


async def _do(
    http: httpx.AsyncClient, by: SignedIn, method: str, path: str, body: dict[str, Any] | None = None
) -> httpx.Response:
    return await http.request(method, ADMIN + path, json=body, headers=by.headers)


async def _done(
    http: httpx.AsyncClient, by: SignedIn, method: str, path: str, body: dict[str, Any] | None = None
) -> Any:
    answer = await _do(http, by, method, path, body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def _spend(http: httpx.AsyncClient, user: SignedIn, key: str) -> httpx.Response:
    return await http.post(f"{BASE}/credits/use", json={**USE, "idempotencyKey": key}, headers=user.headers)


async def _acts(owner: asyncpg.Connection, user: SignedIn, by: SignedIn) -> list[str]:
    rows = await owner.fetch(
        "SELECT type FROM auth.security_events WHERE user_id = $1::text::uuid AND actor_id = $2::text::uuid"
        " ORDER BY created_at, id",
        user.id,
        by.id,
    )
    return [row["type"] for row in rows]


async def _refused_everywhere(http: httpx.AsyncClient, by: SignedIn, owner: asyncpg.Connection, user: SignedIn) -> None:
    """Each route says 403, and the user is as before."""
    (session,) = await owner.fetch("SELECT id FROM auth.sessions WHERE user_id = $1::text::uuid", user.id)
    before = await owner.fetchrow(_UNTOUCHED, UUID(user.id))
    for method, path, body in ROUTES:
        answer = await _do(http, by, method, path.format(user=user.id, session=session["id"]), body)
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
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn, owner: asyncpg.Connection
) -> None:
    """[57]: the guard let the request through; its session ends while it waits."""
    user = UUID(spender.id)
    before = await owner.fetchrow(_UNTOUCHED, user)
    async with owner.transaction():
        await owner.execute("SELECT 1 FROM auth.users WHERE id = $1 FOR UPDATE", user)
        acts = [asyncio.create_task(_do(http, admin, "POST", f"/users/{spender.id}/ban", SPAM))]
        acts.append(asyncio.create_task(_do(http, admin, "PATCH", f"/users/{spender.id}", {"role": "admin"})))
        await asyncio.sleep(0.5)
        assert not any(act.done() for act in acts)
        await owner.execute(
            "UPDATE auth.sessions SET ended_at = now(), ended_reason = 'revoked' WHERE user_id = $1::text::uuid",
            admin.id,
        )
    assert {(await act).status_code for act in acts} == {401, 403}
    assert await owner.fetchrow(_UNTOUCHED, user) == before


async def test_a_ban_shuts_out_at_once_and_is_lifted_again(
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn, owner: asyncpg.Connection
) -> None:
    """[57]: token, refresh, password, challenge, links, account."""
    user = UUID(spender.id)
    for purpose in ("two_factor", "password_reset", "email_change"):
        await add_token(owner, user, purpose)
    banned = await _done(http, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    assert (banned["id"], banned["banReason"], banned["sessions"], banned["twoFactor"]) == (
        spender.id,
        "spam",
        0,
        False,
    )
    assert_problem(await _spend(http, spender, "k1"), 401, "unauthorized")
    assert await is_valid(http, spender.access_token) is False
    refreshed = await http.post(f"{BASE}/auth/refresh", json={"refreshToken": spender.refresh_token})
    assert_problem(refreshed, 401, "unauthorized")
    body = {"email": spender.email, "password": PASSWORD}
    assert_problem(await http.post(f"{BASE}/auth/login", json=body), 401, "unauthorized")
    assert await owner.fetch("SELECT 1 FROM auth.verification_tokens WHERE user_id = $1", user) == []
    assert await owner.fetchval("SELECT frozen FROM credits.balances WHERE account_id = $1", user)
    assert await owner.fetchval("SELECT reason FROM credits.suspensions WHERE account_id = $1", user) == "banned"

    again = await _done(http, admin, "POST", f"/users/{spender.id}/ban", {"reason": "another"})
    assert again == banned, "a second ban changes nothing"
    free = await _done(http, admin, "POST", f"/users/{spender.id}/unban", SPAM)
    assert (free["bannedAt"], free["banReason"]) == (None, None)
    back = await login(http, spender.email)
    assert (await _spend(http, back, "k2")).status_code == 200
    assert await _acts(owner, spender, admin) == ["user.banned", "user.unbanned"]
    assert await owner.fetch("SELECT 1 FROM auth.outbox WHERE user_id = $1", user) == []


async def test_what_was_queued_before_the_ban_is_refused(
    http: httpx.AsyncClient,
    spender: SignedIn,
    admin: SignedIn,
    owner: asyncpg.Connection,
    servers: Instance,
    running_worker: Process,
) -> None:
    """[57]: two hundred uses wait in the queue, of an app that knows nothing of the ban."""
    user = UUID(spender.id)
    running_worker.child.send_signal(signal.SIGSTOP)
    try:
        await _queue_uses(servers, spender, 200)
        await _done(http, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    finally:
        running_worker.child.send_signal(signal.SIGCONT)
    async with asyncio.timeout(20):
        while len(await owner.fetch("SELECT 1 FROM credits.refusals WHERE account_id = $1", user)) < 200:
            await asyncio.sleep(0.1)
    codes = await owner.fetch("SELECT DISTINCT code FROM credits.refusals WHERE account_id = $1", user)
    assert [row["code"] for row in codes] == ["account_frozen"]
    spent = "SELECT count(*) FROM credits.transactions WHERE account_id = $1 AND type = 'usage'"
    assert await owner.fetchval(spent, user) == 0


async def _queue_uses(servers: Instance, user: SignedIn, count: int) -> None:
    connection = await aio_pika.connect(servers.addresses.amqp)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(COMMANDS_EXCHANGE, ensure=False)
        for number in range(count):
            body = msgspec.json.encode({**USE, "userId": user.id, "idempotencyKey": f"queued-{number}"})
            message = aio_pika.Message(
                body,
                type="credits.use",
                content_type="application/json",
                user_id=servers.addresses.administrator,
                message_id=f"queued-{number}",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await exchange.publish(message, routing_key=user.id)


async def test_freeze_and_unfreeze_do_not_change_places(
    http: httpx.AsyncClient,
    deaf: httpx.AsyncClient,
    spender: SignedIn,
    admin: SignedIn,
    owner: asyncpg.Connection,
    servers: Instance,
    logs: Path,
) -> None:
    """Banned where the broker was away, let in where it is back; the relay comes later, and finds nothing to spoil."""
    user = UUID(spender.id)
    await _done(deaf, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    assert not await owner.fetchval("SELECT frozen FROM credits.balances WHERE account_id = $1", user)
    await _done(http, admin, "POST", f"/users/{spender.id}/unban", SPAM)
    async with relay(servers, logs) as process:
        await until_ready(process)
        async with asyncio.timeout(10):
            while await owner.fetchval("SELECT count(*) FROM auth.outbox WHERE user_id = $1", user):
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
    rows = await owner.fetch(
        "SELECT split_part(idempotency_key, ':', 2) AS act FROM credits.keys WHERE account_id = $1"
        " AND idempotency_key ~ '^mana:(un)?ban:' ORDER BY created_at",
        user,
    )
    assert [row["act"] for row in rows] == ["ban", "unban"]
    assert not await owner.fetchval("SELECT frozen FROM credits.balances WHERE account_id = $1", user)


async def test_the_first_use_of_a_new_session_stands_behind_the_unfreeze(
    http: httpx.AsyncClient, deaf: httpx.AsyncClient, spender: SignedIn, admin: SignedIn
) -> None:
    """The front had sent commands of that user before, and nobody has told it of the unfreeze that waits."""
    assert (await _spend(http, spender, "before")).status_code == 200
    await _done(http, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    await _done(deaf, admin, "POST", f"/users/{spender.id}/unban", SPAM)
    back = await login(http, spender.email)
    answer = await _spend(http, back, "after")
    assert answer.status_code == 200, answer.text
    assert answer.json()["transaction"]["amount"] == -1


async def test_another_role_ends_the_sessions_and_needs_a_recent_sign_in(
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn, owner: asyncpg.Connection
) -> None:
    promote = ("PATCH", f"/users/{spender.id}", {"role": "admin"})
    await age_sessions(owner, admin)
    problem = assert_problem(await _do(http, admin, *promote), 403, "forbidden")
    assert problem["details"] == {"reauthenticate": True}
    fresh = await login(http, admin.email)
    assert (await _done(http, fresh, *promote))["role"] == "admin"
    assert_problem(await _spend(http, spender, "k"), 401, "unauthorized")
    promoted = await login(http, spender.email)
    assert len(await _done(http, promoted, "GET", "/users?limit=1")) == 1
    assert (await _done(http, fresh, "PATCH", f"/users/{spender.id}", {"role": "user"}))["role"] == "user"
    assert_problem(await _do(http, promoted, "GET", "/users"), 401, "unauthorized")
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
    assert_problem(await _do(http, admin, method, path.format(user=admin.id), body), 403, "forbidden")
    assert (await _done(http, admin, "GET", f"/users/{admin.id}"))["role"] == "admin"


async def test_administrators_who_put_each_other_out_at_once(
    http: httpx.AsyncClient, owner: asyncpg.Connection, running_worker: Process
) -> None:
    """One wins and the other is refused; neither waits for a lock that the other holds."""
    for _ in range(3):
        pair = [await _administrator(http, owner) for _ in range(2)]
        acts = [
            _do(http, by, "POST", f"/users/{other.id}/ban", SPAM)
            for by, other in zip(pair, reversed(pair), strict=True)
        ]
        statuses = sorted(answer.status_code for answer in await asyncio.gather(*acts))
        assert statuses[0] == 200
        assert statuses[1] in (401, 403)


@pytest.mark.parametrize(("method", "path", "body"), ROUTES[1:8])
async def test_a_user_that_nobody_is(
    http: httpx.AsyncClient, admin: SignedIn, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = await _do(http, admin, method, path.format(user=uuid4(), session=uuid4()), body)
    assert_problem(answer, 404, "not_found")


async def test_sessions_are_seen_and_ended(
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn, owner: asyncpg.Connection
) -> None:
    stranger, second = await sign_up(http), await login(http, spender.email)
    newest, oldest = await _done(http, admin, "GET", f"/users/{spender.id}/sessions")
    assert set(newest) == {"id", "deviceName", "address", "userAgent", "createdAt", "lastActiveAt", "expiresAt"}
    (others,) = await _done(http, admin, "GET", f"/users/{stranger.id}/sessions")
    end = f"/users/{spender.id}/sessions"
    assert_problem(await _do(http, admin, "DELETE", f"{end}/{others['id']}"), 404, "not_found")
    assert (await _spend(http, stranger, "k")).status_code == 200, "another's lives on"
    assert await _done(http, admin, "DELETE", f"{end}/{oldest['id']}") == {"success": True}
    assert_problem(await _do(http, admin, "DELETE", f"{end}/{oldest['id']}"), 404, "not_found")
    assert_problem(await _spend(http, spender, "k"), 401, "unauthorized")
    assert (await _spend(http, second, "k")).status_code == 200
    assert await _done(http, admin, "DELETE", end) == {"success": True}
    assert_problem(await _spend(http, second, "k"), 401, "unauthorized")
    assert await _done(http, admin, "GET", end) == []
    assert await _acts(owner, spender, admin) == [
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
    everything = await _done(http, admin, "GET", f"/users?email={name.upper()}")
    assert [user["id"] for user in everything] == found
    assert set(everything[0]) == {
        *("id", "email", "name", "role", "emailVerified", "createdAt", "bannedAt", "banReason", "language")
    }
    assert await pages(http, admin, f"{ADMIN}/users?email={name}&limit=2") == everything
    assert await _done(http, admin, "GET", f"/users?email={name}%25") == [], "a percent sign is one"
    assert len(await _done(http, admin, "GET", "/users?limit=3")) == 3


async def test_events_name_both_and_are_found_page_by_page(
    http: httpx.AsyncClient, spender: SignedIn, admin: SignedIn
) -> None:
    await _done(http, admin, "POST", f"/users/{spender.id}/ban", SPAM)
    await _done(http, admin, "POST", f"/users/{spender.id}/unban", SPAM)
    of_user = f"/events?userId={spender.id}"
    (event,) = await _done(http, admin, "GET", f"{of_user}&type=user.banned")
    assert (event["userId"], event["actorId"], event["address"]) == (spender.id, admin.id, "127.0.0.1")
    assert event["details"] is None, "what was said of the user is not kept for ever"
    everything = [e for e in await _done(http, admin, "GET", of_user) if e["type"] != "admin.viewed"]
    assert [e["type"] for e in everything] == [
        *("user.unbanned", "user.banned", "sign_in.succeeded", "user.registered"),
    ]
    paged = await pages(http, admin, f"{ADMIN}{of_user}&limit=1")
    assert [e for e in paged if e["type"] != "admin.viewed"] == everything
    since = everything[1]["createdAt"]
    later = await _done(http, admin, "GET", f"{of_user}&from={since}")
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
    answer = await _do(http, admin, method, path.format(user=uuid4()), body)
    assert field in fields(assert_problem(answer, 422, "invalid_request"))
