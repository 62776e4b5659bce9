"""A keeper goes on, whatever ends an attempt to consume."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from workers.broker import methods
from workers.broker.channel import Channel, Listener
from workers.broker.errors import BrokerLostError
from workers.broker.link import Link
from workers.intake import inlets as module
from workers.intake.commandlink import CommandLink
from workers.intake.inlet import Desk
from workers.intake.inlets import Inlets
from workers.meters import Meters


class _Channel:
    """Its calls end as the first of ``ends`` says; the last ones are answered."""

    def __init__(self, ends: list[Exception], subscribed: asyncio.Event, consenting: asyncio.Event) -> None:
        self._ends = ends
        self._subscribed = subscribed
        self._consenting = consenting

    async def call(self, _payload: bytes, answer: bytes) -> None:
        if self._ends:
            raise self._ends.pop(0)
        if answer == methods.BASIC_CONSUME_OK:
            self._subscribed.set()

    async def close(self) -> None:
        await self._consenting.wait()


class _Connection(Link):
    """A link whose channels are those, without a broker. ``consenting``: the broker lets them be closed."""

    def __init__(self, ends: list[Exception], subscribed: asyncio.Event) -> None:
        self.consenting = asyncio.Event()
        self.consenting.set()
        self.listeners: list[Listener] = []
        self._made = lambda: _Channel(ends, subscribed, self.consenting)

    async def channel(self, listener: Listener) -> Channel:
        self.listeners.append(listener)
        return cast(Channel, self._made())


class _Up(CommandLink):
    """Always there."""

    def __init__(self, link: Link) -> None:
        self._there = link

    async def up(self) -> Link:
        return self._there


@pytest.mark.parametrize("end", [BrokerLostError("gone"), ValueError("a defect")], ids=repr)
async def test_a_keeper_survives(end: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def declared(*_: Any) -> None:
        return

    monkeypatch.setattr(module, "declare", declared)
    monkeypatch.setattr(module, "_PAUSE_SECONDS", (0.001, 0.01))
    subscribed = asyncio.Event()
    meters = Meters(CollectorRegistry())
    inlets = Inlets(_Up(_Connection([end], subscribed)), cast(Desk, _desk(meters)), meters)
    inlets.open(0)
    await asyncio.wait_for(subscribed.wait(), 2)
    await asyncio.sleep(0.01)
    assert list(inlets.live) == [0]
    await inlets.drop_all()
    assert not inlets.live


async def test_a_keeper_without_memory_is_told() -> None:
    meters = Meters(CollectorRegistry())
    inlets = Inlets(_Up(_Connection([MemoryError()], asyncio.Event())), cast(Desk, _desk(meters)), meters)
    inlets.open(0)
    with pytest.raises(MemoryError):
        await asyncio.wait_for(inlets.run(), 2)
    await inlets.drop_all()


async def test_a_partition_counts_as_closed_once_its_channel_is() -> None:
    """Also where it was being closed already, since it was lost: another worker is let in by it."""
    subscribed, meters = asyncio.Event(), Meters(CollectorRegistry())
    connection = _Connection([], subscribed)
    inlets = Inlets(_Up(connection), cast(Desk, _desk(meters)), meters)
    inlets.open(0)
    await asyncio.wait_for(subscribed.wait(), 2)
    connection.consenting.clear()
    connection.listeners[0].lost("gone")
    while inlets.live:
        await asyncio.sleep(0)
    closing = asyncio.create_task(inlets.close(0, 1))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not closing.done()
    connection.consenting.set()
    await asyncio.wait_for(closing, 2)


def _desk(meters: Meters) -> Any:
    async def keep(_: Any) -> None:
        return

    return Desk(cast(Any, None), lambda _: None, keep, lambda _: None, meters)
