"""Goal: however large and many the messages are that wait for a worker, it takes in no more than it has room for."""

from __future__ import annotations

import asyncio

import pytest
from pamqp.heartbeat import Heartbeat

from tests.unit.workers.peer import FRAME_MAX, Peer, delivery, linked
from workers.broker import held
from workers.broker.consumer import Consumer, Delivery
from workers.broker.held import LARGE
from workers.broker.link import Link
from workers.broker.wire import SILENT_TICKS

_SIZE = 10_000
_ROOM = 4 * _SIZE


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "HELD_MAX", _ROOM)


async def _consumer(link: Link, seen: list[Delivery]) -> Consumer:
    consumer = await Consumer.open(link, seen.append)
    await consumer.subscribe("credits.commands.0", 32)
    return consumer


def _say(peer: Peer, channel: int, *tags: int, size: int = _SIZE) -> None:
    """A message at a time, as different packets bring them."""
    for tag in tags:
        peer.say(channel, *delivery(tag, [b"x" * 1_000] * (size // 1_000)))


async def _turns() -> None:
    for _ in range(40):
        await asyncio.sleep(0)


async def test_beyond_the_bound_nothing_is_read_until_half_is_acknowledged() -> None:
    link, peer = linked()
    seen: list[Delivery] = []
    consumer = await _consumer(link, seen)
    _say(peer, 1, *range(1, 9))
    await _turns()
    assert [delivery.tag for delivery in seen] == [1, 2, 3, 4, 5]
    consumer.ack(2)
    await _turns()
    assert len(seen) == 5
    consumer.ack(3)
    await _turns()
    assert [delivery.tag for delivery in seen] == list(range(1, 9))
    consumer.ack(8)
    _say(peer, 1, 9)
    assert (peer.held_up, seen[-1].tag) == (None, 9)


async def test_what_a_lost_consumer_held_is_room_for_others() -> None:
    link, peer = linked()
    first, seen = await _consumer(link, []), list[Delivery]()
    await _consumer(link, seen)
    _say(peer, 1, *range(1, 6))
    _say(peer, 2, 1)
    await _turns()
    assert seen == []
    first.lose("enough")
    await _turns()
    assert [delivery.tag for delivery in seen] == [1]


async def test_small_ones_are_not_counted() -> None:
    link, peer = linked()
    seen: list[Delivery] = []
    await _consumer(link, seen)
    _say(peer, 1, *range(1, 21), size=LARGE)
    assert len(seen) == 20
    assert peer.held_up is None


async def test_who_does_not_listen_calls_nobody_silent() -> None:
    link, peer = linked()
    consumer = await _consumer(link, [])
    _say(peer, 1, *range(1, 6))
    peer.wire.agreed(FRAME_MAX, heartbeat=0.01)
    while peer.kinds(0).count(Heartbeat) < 4 * SILENT_TICKS:
        await asyncio.sleep(0.001)
    assert not link.lost.is_set()
    consumer.ack(5)
    await link.lost.wait()
    assert "silent" in link.reason


async def test_a_lost_connection_has_nothing_to_hold_up() -> None:
    link, peer = linked()
    consumer = await _consumer(link, [])
    _say(peer, 1, *range(1, 6))
    peer.wire.connection_lost(None)
    assert link.lost.is_set()
    consumer.ack(5)
    assert consumer.lost.is_set()
