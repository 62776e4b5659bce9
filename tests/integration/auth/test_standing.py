"""Locks of the user: many sign in and refresh at once, and none of them beside a change of what proves the user."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from api.auth import standing
from api.auth.devices import Devices
from api.auth.emails import parse
from api.auth.ending import end_sessions
from api.auth.mail_links.asking import MailOrder, order
from api.auth.model import Device, Standing
from api.auth.recent import require_recent
from api.auth.starting import Started, Starting
from api.errors import Refusal
from tests.integration.auth.rooms import LAPTOP, LIFETIMES, SECRET, SOMEWHERE
from tests.integration.auth.rows import acting, add_session, add_user, new_id

DEVICES = Devices(SECRET)


async def test_who_somebody_is(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    user = await add_user(owner, "ada@example.com", role="admin")
    await owner.execute("UPDATE auth.users SET language = 'de', credential_epoch = 4, banned_at = now()")
    for look in (standing.enter, standing.seize):
        async with acting(front, user):
            found = await look(front, user)
        assert found is not None
        assert (found.user.id, found.user.email, found.user.role) == (user, "ada@example.com", "admin")
        assert (found.banned, found.epoch, found.language) == (True, 4, "de")
        async with acting(front, new_id()):
            assert await look(front, user) is None, "another's row is not seen"


async def test_many_are_in_at_once(
    owner: asyncpg.Connection, front: asyncpg.Connection, other_front: asyncpg.Connection
) -> None:
    user = await add_user(owner)
    async with acting(front, user), acting(other_front, user):
        assert await standing.enter(front, user)
        async with asyncio.timeout(8):
            assert await standing.enter(other_front, user)


async def test_a_change_waits_for_who_is_in_and_those_who_come_see_it(
    owner: asyncpg.Connection, front: asyncpg.Connection, other_front: asyncpg.Connection
) -> None:
    user = await add_user(owner)

    async def change() -> int:
        async with acting(other_front, user):
            assert await standing.seize(other_front, user)
            return await standing.bump(other_front, user)

    async with acting(front, user):
        entered = await standing.enter(front, user)
        changing = asyncio.create_task(change())
        await asyncio.sleep(0.2)
        assert not changing.done()
        assert entered is not None
        assert entered.epoch == 0
    assert await changing == 1

    async def come() -> Standing | None:
        async with acting(front, user):
            return await standing.enter(front, user)

    async with acting(other_front, user):
        await standing.seize(other_front, user)
        coming = asyncio.create_task(come())
        await asyncio.sleep(0.2)
        assert not coming.done()
        await standing.bump(other_front, user)
    found = await coming
    assert found is not None
    assert found.epoch == 2, "it sees what was committed while it waited"


async def test_a_session_that_is_being_started_is_ended_by_the_change_that_waits_for_it(
    owner: asyncpg.Connection, front: asyncpg.Connection, other_front: asyncpg.Connection
) -> None:
    """[6] [42]."""
    user, starting = await add_user(owner), Starting(LIFETIMES, DEVICES)

    async def end_all() -> int:
        async with acting(other_front, user):
            await standing.seize(other_front, user)
            return len(await end_sessions(other_front, user, "password"))

    async with acting(front, user):
        entered = await standing.enter(front, user)
        assert entered is not None
        started = await starting.start(front, entered, SOMEWHERE, LAPTOP)
        ending = asyncio.create_task(end_all())
        await asyncio.sleep(0.2)
        assert not ending.done()
    assert await ending == 1
    assert (
        await owner.fetchval("SELECT ended_reason FROM auth.sessions WHERE id = $1", started.session_id) == "password"
    )


async def _start(front: asyncpg.Connection, user: UUID) -> Started:
    async with acting(front, user):
        entered = await standing.enter(front, user)
        assert entered is not None
        return await Starting(LIFETIMES, DEVICES).start(front, entered, SOMEWHERE, LAPTOP)


async def test_a_start_leaves_session_token_device_and_event(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    user = await add_user(owner)
    await _start(front, user)
    started = await _start(front, user)
    row = await owner.fetchrow("SELECT * FROM auth.sessions WHERE id = $1", started.session_id)
    assert row is not None
    assert (row["device_name"], str(row["address"])) == ("Laptop", "192.0.2.1")
    assert row["device_id"] == (DEVICES.hash_of(LAPTOP) or b"").hex(), "what a device is known by is a secret"
    assert row["expires_at"] == started.expires_at
    token = await owner.fetchrow("SELECT * FROM auth.refresh_tokens WHERE token_hash = $1", started.token.hash)
    assert token is not None
    assert (token["session_id"], token["generation"]) == (started.session_id, 1)
    known = await owner.fetch("SELECT device_hash FROM auth.devices WHERE user_id = $1", user)
    assert [row["device_hash"] for row in known] == [DEVICES.hash_of(LAPTOP)], "once, however often"
    events = await owner.fetch("SELECT type FROM auth.security_events WHERE session_id = $1", started.session_id)
    assert [row["type"] for row in events] == ["sign_in.succeeded"]


async def test_a_client_that_names_no_device_has_none(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    user, nameless = await add_user(owner), Device(None, None)
    assert DEVICES.hash_of(nameless) is None
    assert DEVICES.hash_of(LAPTOP) != Devices(bytes(32)).hash_of(LAPTOP)
    async with acting(front, user):
        await DEVICES.remember(front, user, nameless)
    assert await owner.fetch("SELECT 1 FROM auth.devices") == []


async def test_all_sessions_but_one_end(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    user, other = await add_user(owner), await add_user(owner)
    sessions = [await add_session(owner, user) for _ in range(3)]
    strangers = await add_session(owner, other)
    async with acting(front, user):
        await standing.seize(front, user)
        ended = await end_sessions(front, user, "password", but=sessions[1])
    assert set(ended) == {sessions[0], sessions[2]}
    live = await owner.fetch("SELECT id FROM auth.sessions WHERE ended_at IS NULL ORDER BY id")
    assert [row["id"] for row in live] == [sessions[1], strangers]
    async with acting(front, user):
        assert await end_sessions(front, user, "revoked") == [sessions[1]]
        assert await end_sessions(front, user, "revoked") == []
    reasons = await owner.fetch("SELECT ended_reason FROM auth.sessions WHERE user_id = $1 ORDER BY id", user)
    assert [row["ended_reason"] for row in reasons] == ["password", "revoked", "password"], "the first reason stays"


@pytest.mark.parametrize(
    ("change", "recent"),
    [
        ("SELECT 1", True),
        ("UPDATE auth.sessions SET created_at = now() - interval '11 min'", False),
        (
            "UPDATE auth.sessions SET created_at = now() - interval '1 h', authenticated_at = now() - interval '9 min'",
            True,
        ),
        ("UPDATE auth.sessions SET authenticated_at = now() - interval '11 min'", False),
        ("UPDATE auth.sessions SET ended_at = now(), ended_reason = 'logout'", False),
        ("UPDATE auth.sessions SET expires_at = created_at + interval '1 ms'", False),
    ],
)
async def test_a_recent_sign_in(
    owner: asyncpg.Connection, front: asyncpg.Connection, change: str, recent: bool
) -> None:
    user = await add_user(owner)
    session = await add_session(owner, user)
    await owner.execute(change)
    async with acting(front, user):
        if recent:
            await require_recent(front, session, timedelta(minutes=10))
            return
        with pytest.raises(Refusal) as refused:
            await require_recent(front, session, timedelta(minutes=10))
    assert (refused.value.error.code, refused.value.error.details) == ("forbidden", {"reauthenticate": True})


async def test_who_waited_behind_the_end_of_all_sessions_is_not_recent(
    owner: asyncpg.Connection, front: asyncpg.Connection, other_front: asyncpg.Connection
) -> None:
    """[50] [57]: asked under the lock, a stolen session that was shut out meanwhile goes no further."""
    user = await add_user(owner)
    session = await add_session(owner, user)

    async def move_address() -> None:
        async with acting(front, user):
            await standing.seize(front, user)
            await require_recent(front, session, timedelta(minutes=10))

    async with acting(other_front, user):
        await standing.seize(other_front, user)
        moving = asyncio.create_task(move_address())
        await asyncio.sleep(0.2)
        assert not moving.done()
        await standing.bump(other_front, user)
        await end_sessions(other_front, user, "password")
    with pytest.raises(Refusal) as refused:
        await moving
    assert refused.value.error.code == "forbidden"


async def test_mails_are_ordered_with_their_cause(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    user, new = await add_user(owner), parse("Ada@Example.com")
    await owner.execute("UPDATE auth.users SET credential_epoch = 3")
    async with acting(front, user):
        await order(front, MailOrder("change_requested", user, new, {"from": "192.0.2.1"}))
    await order(front, MailOrder("reset_requested", email=new))
    rows = await owner.fetch(
        "SELECT kind, user_id, email, email_key, details, credential_epoch FROM auth.mails ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("change_requested", user, "Ada@example.com", "ada@example.com", '{"from":"192.0.2.1"}', 3),
        ("reset_requested", None, "Ada@example.com", "ada@example.com", "{}", None),
    ]
    with pytest.raises(RuntimeError):
        await _order_and_fail(front)
    assert await owner.fetchval("SELECT count(*) FROM auth.mails") == 2


async def _order_and_fail(front: asyncpg.Connection) -> None:
    async with front.transaction():
        await order(front, MailOrder("reset_requested", email=parse("b@example.com")))
        raise RuntimeError
