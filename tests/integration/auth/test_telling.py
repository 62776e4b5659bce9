"""Events of users leave the outbox in order for each user, whatever fails in between; nobody's failure is another's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from api.broker.commands import Full, NoAnswer, NotAccepted, Notice
from api.database import Database as Pool
from api.relay import events
from api.relay.telling import Telling, TellingMetrics
from contracts.events import decode_event
from tests.integration.auth.rows import acting, add_session, add_user
from tests.integration.ledger.server import Database

WAITING = "SELECT count(*) FROM auth.outbox_events"
END = "UPDATE auth.sessions SET ended_at = clock_timestamp(), ended_reason = 'logout' WHERE id = $1"


class Exchange:
    """A broker that takes notices; of a user it raises the next of ``failures``. With ``NoAnswer`` it has taken it all
    the same. Waits for ``opened``."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.failures: dict[str, list[Exception]] = {}
        self.asked, self.opened = asyncio.Event(), asyncio.Event()
        self.opened.set()

    async def put(self, notice: Notice) -> None:
        self.asked.set()
        await self.opened.wait()
        waiting = self.failures.get(_subject(notice))
        failure = waiting.pop(0) if waiting else None
        if failure is None or isinstance(failure, NoAnswer):
            self.taken.append(notice)
        if failure is not None:
            raise failure

    def of(self, user: UUID) -> list[str]:
        return [notice.type or "" for notice in self.taken if _subject(notice) == str(user)]


def _subject(notice: Notice) -> str:
    return decode_event(notice.body)["subject"]


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
async def telling(database: Database, exchange: Exchange) -> AsyncGenerator[Telling]:
    async with Pool.connected(database.url("mana_relay"), 2, "relay") as pool:
        yield Telling(pool, exchange.put, TellingMetrics(CollectorRegistry()))


@pytest.fixture
async def beside(database: Database, exchange: Exchange) -> AsyncGenerator[Telling]:
    """Another relay."""
    async with Pool.connected(database.url("mana_relay"), 2, "relay") as pool:
        yield Telling(pool, exchange.put, TellingMetrics(CollectorRegistry()))


async def _ban(owner: asyncpg.Connection, user: UUID) -> None:
    await owner.execute("UPDATE auth.users SET banned_at = now(), ban_reason = 'x' WHERE id = $1", user)


async def test_who_cannot_be_told_of_holds_up_nobody_else(
    owner: asyncpg.Connection, telling: Telling, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAGE", 2)
    unlucky, other = await add_user(owner), await add_user(owner)
    for user in (unlucky, other):
        await _ban(owner, user)
    exchange.failures = {str(unlucky): [NotAccepted("the broker cannot be reached")]}
    await telling.tell_all()
    assert (exchange.of(unlucky), exchange.of(other)) == ([], ["user.registered", "user.banned"])
    assert await owner.fetchval(WAITING) == 2
    await telling.tell_all()
    assert exchange.of(unlucky) == ["user.registered", "user.banned"]
    assert await owner.fetchval(WAITING) == 0


async def test_a_repeat_is_the_same_to_the_byte(
    owner: asyncpg.Connection, telling: Telling, exchange: Exchange
) -> None:
    exchange.failures = {str(await add_user(owner)): [NoAnswer()]}
    await telling.tell_all()
    assert await owner.fetchval(WAITING) == 1
    await telling.tell_all()
    first, again = exchange.taken
    assert first == again
    assert decode_event(first.body)["id"] == first.message_id
    assert (first.exchange, first.routing_key, first.type, first.content_type) == (
        "credits.events",
        "user.registered.system",
        "user.registered",
        "application/cloudevents+json",
    )


async def test_what_a_full_queue_refused_goes_to_the_log(
    owner: asyncpg.Connection, telling: Telling, exchange: Exchange
) -> None:
    user = await add_user(owner)
    await _ban(owner, user)
    exchange.failures = {str(user): [Full()]}
    await telling.tell_all()
    assert [(notice.exchange, notice.routing_key) for notice in exchange.taken] == [
        ("", "credits.events.log"),
        ("credits.events", "user.banned.system"),
    ]
    assert await owner.fetchval(WAITING) == 0


async def test_two_relays_tell_each_event_once(
    owner: asyncpg.Connection, telling: Telling, beside: Telling, exchange: Exchange
) -> None:
    user = await add_user(owner)
    exchange.opened.clear()
    slow = asyncio.create_task(telling.tell_all())
    await exchange.asked.wait()
    await _ban(owner, user)
    await asyncio.wait_for(beside.tell_all(), 5)
    assert exchange.taken == []
    exchange.opened.set()
    await slow
    await beside.tell_all()
    assert exchange.of(user) == ["user.registered", "user.banned"]


async def test_what_is_no_event_holds_up_its_user_alone(
    owner: asyncpg.Connection, telling: Telling, exchange: Exchange
) -> None:
    broken, other = await add_user(owner), await add_user(owner)
    await telling.tell_all()
    bad = "INSERT INTO auth.outbox_events (user_id, type, data) VALUES ($1, $2, '{}')"
    for kind in ("user.banned", "user.eaten"):
        await owner.execute(bad, broken, kind)
    await _ban(owner, broken)
    await _ban(owner, other)
    await telling.tell_all()
    assert (exchange.of(broken), exchange.of(other)) == (["user.registered"], ["user.registered", "user.banned"])


async def test_a_session_whose_time_was_over_is_not_revoked(
    owner: asyncpg.Connection, front: asyncpg.Connection, telling: Telling, exchange: Exchange
) -> None:
    user = await add_user(owner)
    over, living, deleted = [await add_session(owner, user, life) for life in ("-1 min", "1 day", "-1 min")]
    async with acting(front, user):
        for session in (over, living):
            await front.execute(END, session)
    await owner.execute("DELETE FROM auth.sessions WHERE id = $1", deleted)
    await telling.tell_all()
    (told,) = [decode_event(notice.body) for notice in exchange.taken if notice.type == "session.revoked"]
    assert told["data"] == {"sessionId": str(living), "reason": "logout"}
