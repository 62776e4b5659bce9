"""A round of upkeep: all that is over goes, however much it is, and what is not over stays."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from api.database import Database
from api.errors import Unavailable
from api.upkeep import sweeping as module
from api.upkeep.sweeping import Ages, Sweeping, SweepingMetrics
from tests.integration.auth.rows import acting, add_mail, add_session, add_token, add_user, new_id
from tests.integration.ledger.server import Database as OwnDatabase

SWEEP_EVENTS = "SELECT auth.sweep_events($1, $2)"


@pytest.fixture
async def sweeping(database: OwnDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Sweeping]:
    monkeypatch.setattr(module, "MOST", 2)
    monkeypatch.setattr("api.database.STATEMENT_SECONDS_MAX", 2.0)
    async with Database.connected(database.url("mana_relay"), 1, "relay") as connected:
        yield Sweeping(connected, Ages(timedelta(days=100), timedelta(days=2)), SweepingMetrics(CollectorRegistry()))


async def _event(owner: asyncpg.Connection, age: str, actor: object = None) -> object:
    event = new_id()
    await owner.execute(
        "INSERT INTO auth.security_events (id, type, actor_id, created_at)"
        " VALUES ($1, 'x', $2, now() - $3::text::interval)",
        event,
        actor,
        age,
    )
    return event


async def _event_of(owner: asyncpg.Connection, user: UUID) -> None:
    await owner.execute(
        "INSERT INTO auth.security_events (id, user_id, type, address) VALUES ($1, $2, 'x', '192.0.2.1')",
        new_id(),
        user,
    )


async def test_all_that_is_over_goes(owner: asyncpg.Connection, front: asyncpg.Connection, sweeping: Sweeping) -> None:
    user, gone = await add_user(owner), await add_user(owner)
    for _ in range(5):
        await add_session(owner, user, "-49 h")
        await add_token(owner, user, "email_verify", life="-25 h")
        await add_mail(owner, "verify", user)
        await _event(owner, "101 days")
    await owner.execute("UPDATE auth.mails SET created_at = now() - interval '73 h'")
    kept = (
        await add_session(owner, user, "-47 h"),
        await add_mail(owner, "verify", user),
        await _event(owner, "99 days"),
    )
    async with acting(front, gone):
        await front.execute("SELECT auth.delete_this_user()")
    await sweeping.round()
    left = [
        [row["id"] for row in await owner.fetch(f"SELECT id FROM auth.{table}")]
        for table in ("sessions", "mails", "security_events", "verification_tokens")
    ]
    assert left == [[kept[0]], [kept[1]], [kept[2]], []]
    assert await owner.fetchval("SELECT passes FROM auth.erasures WHERE user_id = $1", gone) == 1


async def test_what_cannot_be_done_keeps_nothing_else_waiting(
    owner: asyncpg.Connection, front: asyncpg.Connection, sweeping: Sweeping
) -> None:
    """Somebody holds the mails, and what is written of the first who is to be erased."""
    users = [await add_user(owner) for _ in range(2)]
    for user in users:
        await _event_of(owner, user)
        await add_mail(owner, "verify", await add_user(owner))
        async with acting(front, user):
            await front.execute("SELECT auth.delete_this_user()")
    await owner.execute("UPDATE auth.mails SET created_at = now() - interval '73 h'")
    await owner.execute("UPDATE auth.erasures SET due_at = due_at - interval '1 h' WHERE user_id = $1", users[0])
    async with owner.transaction():
        await owner.execute("LOCK TABLE auth.mails")
        await owner.execute("SELECT 1 FROM auth.security_events WHERE user_id = $1 FOR UPDATE", users[0])
        with pytest.raises(Unavailable):
            await sweeping.round()
        with pytest.raises(Unavailable):
            await sweeping.round()
    passes = dict(await owner.fetch("SELECT user_id, passes FROM auth.erasures"))
    assert passes == {users[0]: 0, users[1]: 1}
    await owner.execute("UPDATE auth.erasures SET due_at = now()")
    await sweeping.round()
    assert await owner.fetchval("SELECT passes FROM auth.erasures WHERE user_id = $1", users[0]) == 1
    assert await owner.fetchval("SELECT count(*) FROM auth.mails") == 0


@pytest.mark.checklist(68)
async def test_nobody_makes_the_database_forget_what_happened_lately(
    owner: asyncpg.Connection, relay: asyncpg.Connection
) -> None:
    young, _ = await _event(owner, "89 days"), await _event(owner, "91 days")
    act, _ = await _event(owner, "1825 days", new_id()), await _event(owner, "1828 days", new_id())
    assert await relay.fetchval(SWEEP_EVENTS, timedelta(0), 10) == 2
    left = {row["id"] for row in await owner.fetch("SELECT id FROM auth.security_events")}
    assert left == {young, act}
    await owner.execute("UPDATE auth.security_events SET created_at = now() - interval '1825 days'")
    await owner.execute('UPDATE auth.security_events SET details = \'{"by": "operator"}\' WHERE id = $1', young)
    assert await relay.fetchval(SWEEP_EVENTS, timedelta(0), 10) == 0, "an operator's act stays as an administrator's"
    recent, _ = [await add_session(owner, await add_user(owner), life) for life in ("-25 h", "-27 h")]
    assert await relay.fetchval("SELECT auth.sweep_sessions($1, 10)", timedelta(0)) == 1
    assert [row["id"] for row in await owner.fetch("SELECT id FROM auth.sessions")] == [recent]
    for statement in ("DELETE FROM auth.security_events", "UPDATE auth.security_events SET type = 'y'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await relay.execute(statement)


async def test_events_go_in_small_steps_the_oldest_first(owner: asyncpg.Connection, relay: asyncpg.Connection) -> None:
    newer = await _event(owner, "101 days")
    for _ in range(2):
        await _event(owner, "102 days")
    assert await relay.fetchval(SWEEP_EVENTS, timedelta(days=100), 2) == 2
    assert [row["id"] for row in await owner.fetch("SELECT id FROM auth.security_events")] == [newer]
    assert await relay.fetchval(SWEEP_EVENTS, timedelta(days=100), 2) == 1
    assert await relay.fetchval(SWEEP_EVENTS, timedelta(days=100), 2) == 0
