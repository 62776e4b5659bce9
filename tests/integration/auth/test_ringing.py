"""The relay rings for each order that is due until it is gone; not for one that waits, and without holding any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import UUID

import asyncpg
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from api.broker.commands import NoAnswer, NotAccepted, Notice
from api.database import Database
from api.relay import mails
from api.relay.ringing import Ringing, RingingMetrics
from contracts.mails import Ring
from tests.integration.auth.rows import acting, add_mail, add_user
from tests.integration.ledger.server import Database as OwnDatabase


async def _nothing() -> None:
    """Nothing happens meanwhile."""


class Bell:
    """A broker that takes bells, or not: then it raises the next of ``failures``. ``meanwhile`` is done before its
    confirm."""

    def __init__(self) -> None:
        self.heard: list[UUID] = []
        self.failures: list[Exception] = []
        self.meanwhile: Callable[[], Awaitable[None]] = _nothing

    async def put(self, notice: Notice) -> None:
        if self.failures:
            raise self.failures.pop()
        self.heard.append(UUID(msgspec.json.decode(notice.body, type=Ring).mail_id))
        await self.meanwhile()


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
async def ringing(database: OwnDatabase, bell: Bell) -> AsyncGenerator[Ringing]:
    async with Database.connected(database.url("mana_relay"), 2, "relay") as connected:
        yield Ringing(connected, bell.put, RingingMetrics(CollectorRegistry()))


async def test_each_is_rung_for_once_a_minute(owner: asyncpg.Connection, ringing: Ringing, bell: Bell) -> None:
    first, second, later = [await add_mail(owner, "verify_requested", email="a@example.com") for _ in range(3)]
    await owner.execute("UPDATE auth.mails SET due_at = now() + interval '1 h' WHERE id = $1", later)
    await ringing.ring_due()
    await ringing.ring_due()
    assert bell.heard == [first, second]
    await owner.execute("UPDATE auth.mails SET due_at = due_at - interval '60 s' WHERE id = $1", second)
    await ringing.ring_due()
    assert bell.heard == [first, second, second]


@pytest.mark.parametrize("failure", [NotAccepted("the queue is full"), NoAnswer()])
async def test_what_the_broker_did_not_take_stays_due(
    owner: asyncpg.Connection, ringing: Ringing, bell: Bell, failure: Exception
) -> None:
    first, second = [await add_mail(owner, "verify_requested", email="a@example.com") for _ in range(2)]
    bell.failures = [failure]
    await ringing.ring_due()
    assert bell.heard == [second]
    await ringing.ring_due()
    assert bell.heard == [second, first]


async def test_more_than_a_page(
    owner: asyncpg.Connection, ringing: Ringing, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mails, "PAGE", 2)
    orders = [await add_mail(owner, "verify_requested", email="a@example.com") for _ in range(5)]
    await ringing.ring_due()
    assert sorted(bell.heard) == orders


async def test_an_order_that_was_put_off_meanwhile_stays_so(
    owner: asyncpg.Connection, ringing: Ringing, bell: Bell
) -> None:
    """The mail worker may be done, and have failed, before the relay knows that its bell was taken."""
    order = await add_mail(owner, "verify_requested", email="a@example.com")

    async def put_off() -> None:
        await owner.execute("UPDATE auth.mails SET due_at = now() + interval '1 h' WHERE id = $1", order)

    bell.meanwhile = put_off
    await ringing.ring_due()
    assert await owner.fetchval("SELECT due_at > now() + interval '59 min' FROM auth.mails") is True


async def test_a_deletion_does_not_wait_for_a_slow_broker(
    owner: asyncpg.Connection, front: asyncpg.Connection, ringing: Ringing, bell: Bell
) -> None:
    user = await add_user(owner)
    await add_mail(owner, "verify", user)
    slow, asked = asyncio.Event(), asyncio.Event()

    async def take_long() -> None:
        asked.set()
        await slow.wait()

    bell.meanwhile = take_long
    looking = asyncio.create_task(ringing.ring_due())
    await asked.wait()
    async with acting(front, user):
        await front.execute("SELECT auth.delete_this_user()", timeout=8)
    slow.set()
    await looking
    assert await owner.fetch("SELECT 1 FROM auth.mails") == []
