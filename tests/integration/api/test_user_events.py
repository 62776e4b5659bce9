"""What happens to a user or a session leaves its event at the broker, once, and nothing without its COMMIT."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import httpx
import jwt
import pytest

from contracts.user_events import USER_EVENTS
from ops.instance import Instance
from tests.integration.api.administrators import SPAM, done
from tests.integration.api.operators import operate
from tests.integration.api.process import Process, another_front, relay, until_ready
from tests.integration.api.users import BASE, PASSWORD, SignedIn, login, new_email, register
from tests.integration.auth.links import newest_link
from tests.integration.workers.events import Subscriber, subscribed
from tests.unit.contracts.test_schemas import fits

NAME = "Ada Canary"
Told = tuple[str, str | None, str | None]
"""Type, session and reason of an event."""


@dataclass
class Ear:
    """Hears the broker, and what one user's events were since it was last asked."""

    subscriber: Subscriber
    heard: dict[str, int] = field(default_factory=dict[str, int])

    async def news(self, user_id: str, number: int) -> list[Told]:
        """The user's next events, once there are so many."""
        begin = self.heard.get(user_id, 0)
        events = (await self.subscriber.has(user_id, begin + number))[begin:]
        self.heard[user_id] = begin + len(events)
        return [(event["type"], event["data"].get("sessionId"), event["data"].get("reason")) for event in events]


@pytest.fixture(scope="module")
async def relay_process(servers: Instance, logs: Path) -> AsyncGenerator[Process]:
    async with relay(servers, logs) as process:
        await until_ready(process)
        yield process


@pytest.fixture(scope="module")
async def ear(servers: Instance, relay_process: Process) -> AsyncGenerator[Ear]:
    assert relay_process.child.returncode is None
    async with subscribed(servers.addresses.amqp, "user.#", "session.#") as subscriber:
        yield Ear(subscriber)


def _session(user: SignedIn) -> str:
    return jwt.decode(user.access_token, options={"verify_signature": False})["sid"]


async def _registered(http: httpx.AsyncClient) -> tuple[str, str]:
    body = {"email": new_email(), "password": PASSWORD, "name": NAME}
    answer = await http.post(f"{BASE}/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], body["email"]


async def _none_is_left_over(http: httpx.AsyncClient, ear: Ear, user_ids: list[str]) -> None:
    """What the user left was all: an event of another user's, written later, has come."""
    marker = (await register(http))["id"]
    assert await ear.news(marker, 1) == [("user.registered", None, None)]
    assert [await ear.news(user_id, 0) for user_id in user_ids] == [[] for _ in user_ids]


def _tells_nothing_personal(subscriber: Subscriber, user_id: str, *texts: str) -> None:
    for event in subscriber.of(user_id):
        assert event["type"] in USER_EVENTS
        assert fits(f"event.{event['type']}", event), event
        assert (event["source"], event["subject"], "sequence" in event) == ("/mana/users", user_id, False)
        assert not [text for text in (*texts, NAME, "@") if text in json.dumps(event)]
    assert {
        key for event, key in zip(subscriber.events, subscriber.keys, strict=True) if event["subject"] == user_id
    } == {f"{event['type']}.system" for event in subscriber.of(user_id)}


async def test_from_registration_to_deletion(
    http: httpx.AsyncClient, admin: SignedIn, ear: Ear, owner: asyncpg.Connection
) -> None:
    user, email = await _registered(http)
    await http.post(f"{BASE}/auth/email/verify/resend", json={"email": email})
    link = await newest_link(owner, "verify_requested", email)
    assert (await http.post(f"{BASE}/auth/email/verify", json={"token": link})).status_code == 200

    leaving, listed, admins, mine = [await login(http, email) for _ in range(4)]
    await http.post(f"{BASE}/auth/logout", headers=leaving.headers)
    await http.delete(f"{BASE}/auth/sessions/{_session(listed)}", headers=mine.headers)
    await done(http, admin, "DELETE", f"/users/{user}/sessions/{_session(admins)}")
    await http.post(f"{BASE}/auth/logout-all", headers=mine.headers)
    ended = [(leaving, "logout"), (listed, "revoked"), (admins, "revoked"), (mine, "logout")]

    thief = await login(http, email)
    tokens = [thief.refresh_token]
    for _ in range(2):
        answer = await http.post(f"{BASE}/auth/refresh", json={"refreshToken": tokens[-1]})
        tokens.append(answer.json()["refreshToken"])
    await http.post(f"{BASE}/auth/refresh", json={"refreshToken": tokens[0]})

    other, banned = await login(http, email), await login(http, email)
    body = {"currentPassword": PASSWORD, "newPassword": PASSWORD + "!"}
    changed = await http.post(f"{BASE}/auth/password/change", json=body, headers=banned.headers)
    assert changed.status_code == 200, changed.text
    ended += [(thief, "reuse"), (other, "password")]
    for act in ("ban", "ban", "unban", "unban"):
        await done(http, admin, "POST", f"/users/{user}/{act}", SPAM)

    gone = await login(http, email, PASSWORD + "!")
    assert (await http.delete(f"{BASE}/auth/me", headers=gone.headers)).status_code == 200
    expected: list[Told] = [
        ("user.registered", None, None),
        ("user.verified", None, None),
        *(("session.revoked", _session(session), reason) for session, reason in ended),
        ("user.banned", None, None),
        ("session.revoked", _session(banned), "banned"),
        ("user.unbanned", None, None),
        ("session.revoked", _session(gone), "deleted"),
        ("user.deleted", None, None),
    ]
    assert await ear.news(user, len(expected)) == expected
    registered, verified = [event["data"]["user"] for event in ear.subscriber.of(user)[:2]]
    assert registered == {
        "id": user, "role": "user", "emailVerified": False, "createdAt": registered["createdAt"],
    }  # fmt: skip
    assert verified == registered | {"emailVerified": True}
    await _none_is_left_over(http, ear, [user])
    _tells_nothing_personal(ear.subscriber, user, email)


async def test_a_session_that_makes_room(
    servers: Instance, logs: Path, http: httpx.AsyncClient, running_worker: Process, ear: Ear
) -> None:
    assert running_worker.child.returncode is None
    user, email = await _registered(http)
    async with another_front(servers, logs, SESSIONS_MAX="1") as (_, narrow):
        first, last = [await login(narrow, email) for _ in range(2)]
    assert await ear.news(user, 2) == [
        ("user.registered", None, None),
        ("session.revoked", _session(first), "revoked"),
    ]
    await _none_is_left_over(http, ear, [user, _session(last)])


async def test_users_who_are_imported_and_administrators_who_are_made(
    servers: Instance,
    http: httpx.AsyncClient,
    running_worker: Process,
    ear: Ear,
    owner: asyncpg.Connection,
    tmp_path: Path,
) -> None:
    emails = [new_email() for _ in range(3)]
    file = tmp_path / "users.jsonl"
    lines = [{"email": email, "name": NAME, "verified": number == 1} for number, email in enumerate(emails[:2])]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert (await operate(servers, "import_users", str(file))).status == 0
    assert (await operate(servers, "create_admin", emails[2])).status == 0
    found = {row["email"]: str(row["id"]) for row in await owner.fetch("SELECT id, email FROM auth.users")}
    users = [found[email] for email in emails]
    assert [await ear.news(user, 1) for user in users] == [[("user.registered", None, None)]] * 3
    told: list[dict[str, Any]] = [ear.subscriber.of(user)[0]["data"]["user"] for user in users]
    assert [(one["role"], one["emailVerified"]) for one in told] == [("user", False), ("user", True), ("admin", True)]

    assert (await operate(servers, "create_admin", emails[0])).status == 0
    assert await ear.news(users[0], 1) == [("user.verified", None, None)]
    await _none_is_left_over(http, ear, users)
    for user, email in zip(users, emails, strict=True):
        _tells_nothing_personal(ear.subscriber, user, email)


async def test_what_is_not_committed_is_not_told(
    http: httpx.AsyncClient, running_worker: Process, ear: Ear, owner: asyncpg.Connection
) -> None:
    before = len(ear.subscriber.events)
    user, email = await _registered(http)
    assert (await http.post(f"{BASE}/auth/register", json={"email": email, "password": PASSWORD})).status_code == 409
    undone = owner.transaction()
    await undone.start()
    await owner.execute(
        "INSERT INTO auth.users (id, email, email_key) VALUES (gen_random_uuid(), 'r@example.com', 'r@example.com')"
    )
    await owner.execute("UPDATE auth.users SET banned_at = now(), ban_reason = 'x' WHERE id = $1", UUID(user))
    assert await owner.fetchval("SELECT count(*) FROM auth.outbox_events WHERE type = 'user.banned'") == 1
    await undone.rollback()
    assert await ear.news(user, 1) == [("user.registered", None, None)]
    await _none_is_left_over(http, ear, [user])
    of_users = [event for event in ear.subscriber.events[before:] if event["source"] == "/mana/users"]
    assert [event["type"] for event in of_users] == ["user.registered"] * 2


async def test_a_subscriber_whose_queue_is_full_holds_nobody_up(
    servers: Instance, http: httpx.AsyncClient, relay_process: Process, running_worker: Process, ear: Ear,
    owner: asyncpg.Connection,
) -> None:  # fmt: skip
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        channel = await connection.channel()
        bounds: dict[str, Any] = {"x-max-length": 0, "x-overflow": "reject-publish"}
        full = await channel.declare_queue("full.of.users", exclusive=True, arguments=bounds)
        await full.bind("credits.events", "user.#")
        users = [(await register(http))["id"] for _ in range(2)]
        assert [await ear.news(user, 1) for user in users] == [[("user.registered", None, None)]] * 2
        async with asyncio.timeout(10):
            while await owner.fetchval("SELECT count(*) FROM auth.outbox_events"):
                await asyncio.sleep(0.05)
    async with httpx.AsyncClient(base_url=relay_process.url, timeout=40) as there:
        metrics = (await there.get("/metrics")).text
    assert "mana_user_events_refused_total 2.0" in metrics
    assert "mana_user_events_waiting" in metrics
    assert "mana_user_events_oldest_seconds" in metrics
