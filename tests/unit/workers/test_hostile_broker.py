"""Whatever bytes come, in whatever pieces: nothing is raised, nobody hangs, what was whole before is taken in order."""

from __future__ import annotations

import asyncio
import struct
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from tests.unit.workers.peer import delivery, linked, returned
from workers.broker import methods
from workers.broker.channel import Listener
from workers.broker.consumer import Consumer, Delivery
from workers.broker.errors import BrokerLostError
from workers.broker.frames import properties
from workers.broker.publisher import Publication, Publisher, Verdict

_PUBLISHED = 5
_CHANNELS = st.integers(0, 4)


def _marshal(channel: int, *values: Any) -> bytes:
    return b"".join(frame.marshal(value, channel) for value in values)


def _raw(kind: int, channel: int, payload: bytes, end: bytes = b"\xce") -> bytes:
    """A frame, whatever is in it."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + end


_CONFIRM = st.tuples(st.integers(0, 9), st.booleans())
_GOOD = st.one_of(
    st.lists(st.binary(min_size=1, max_size=300), max_size=3).map(lambda body: _marshal(1, *delivery(1, body))),
    st.integers(0, 9).map(lambda number: _marshal(2, *returned(message_id=str(number)))),
    _CONFIRM.map(lambda given: _marshal(2, commands.Basic.Ack(*given))),
    _CONFIRM.map(lambda given: _marshal(2, commands.Basic.Nack(*given))),
    st.just(_marshal(0, Heartbeat())),
    st.just(_marshal(0, commands.Connection.Blocked("memory"))),
    st.just(_marshal(0, commands.Connection.Unblocked())),
    st.just(_marshal(1, commands.Basic.Cancel("tag", True))),
)
_NUMBERS = st.sampled_from([value for value in vars(methods).values() if isinstance(value, bytes) and len(value) == 4])
_BAD = st.one_of(
    st.binary(max_size=40),
    st.tuples(st.integers(0, 9), _CHANNELS, st.binary(max_size=40), st.sampled_from([b"\xce", b"\x00"])).map(
        lambda given: _raw(*given)
    ),
    st.tuples(_CHANNELS, _NUMBERS, st.binary(max_size=40)).map(lambda given: _raw(1, given[0], given[1] + given[2])),
    st.tuples(_CHANNELS, st.integers(0, 2**63)).map(lambda given: _marshal(given[0], ContentHeader(0, given[1]))),
    st.tuples(_CHANNELS, st.binary(max_size=20)).map(lambda given: _marshal(given[0], ContentBody(given[1]))),
)


class _Around:
    """A link with somebody who consumes, somebody who publishes, and somebody who waits for an answer."""

    def __init__(self) -> None:
        self.link, self.peer = linked()
        self.seen: list[Delivery] = []
        self.verdicts: list[tuple[int, Verdict]] = []
        self.consumer: Consumer
        self.publisher: Publisher
        self.asking: asyncio.Task[bytes]

    async def settle_in(self) -> None:
        self.consumer = await Consumer.open(self.link, self.seen.append)
        await self.consumer.subscribe("credits.commands.0", 32)
        self.publisher = await Publisher.open(self.link)
        channel = await self.link.channel(Listener())
        for number in range(_PUBLISHED):
            message = Publication("", "key", str(number), properties(message_id=str(number)), b"{}")
            self.publisher.publish(message, lambda verdict, number=number: self.verdicts.append((number, verdict)))
        self.peer.answers.clear()
        self.asking = asyncio.create_task(channel.call(methods.queue_look("q"), methods.QUEUE_DECLARE_OK))
        await asyncio.sleep(0)

    async def check(self) -> None:
        """Each verdict once; and all have their end where the link has: now, or when the socket is closed."""
        if not self.link.lost.is_set():
            numbers = [number for number, _ in self.verdicts]
            assert len(numbers) == len(set(numbers))
            self.peer.wire.connection_lost(None)
        assert self.link.lost.is_set()
        assert self.link.reason
        assert self.consumer.lost.is_set()
        assert self.publisher.lost.is_set()
        assert sorted(number for number, _ in self.verdicts) == list(range(_PUBLISHED))
        await asyncio.wait({self.asking})
        assert self.asking.exception() is None or isinstance(self.asking.exception(), BrokerLostError)


@given(st.lists(st.one_of(_GOOD, _BAD), max_size=12), st.lists(st.integers(0, 3000), max_size=8))
async def test_whatever_comes(parts: list[bytes], cuts: list[int]) -> None:
    around = _Around()
    await around.settle_in()
    data = b"".join(parts)
    edges = [0, *sorted({min(cut, len(data)) for cut in cuts}), len(data)]
    for start, end in pairwise(edges):
        around.peer.send(data[start:end])
    await around.check()


@given(st.lists(_GOOD, min_size=1, max_size=8), st.data())
async def test_good_frames_with_one_byte_changed(parts: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(b"".join(parts))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    around = _Around()
    await around.settle_in()
    around.peer.send(bytes(whole))
    await around.check()


@given(
    st.lists(st.lists(st.binary(min_size=1, max_size=300), max_size=3), max_size=5),
    st.lists(st.integers(0, 3000), max_size=8),
    _BAD,
)
async def test_what_was_whole_before_is_taken_in_order(bodies: list[list[bytes]], cuts: list[int], bad: bytes) -> None:
    around = _Around()
    await around.settle_in()
    data = b"".join(_marshal(1, *delivery(tag, body)) for tag, body in enumerate(bodies, 1))
    edges = [0, *sorted({min(cut, len(data)) for cut in cuts}), len(data)]
    for start, end in pairwise(edges):
        around.peer.send(data[start:end])
    around.peer.send(bad)
    expected = [(tag, b"".join(body)) for tag, body in enumerate(bodies, 1)]
    assert [(delivery.tag, delivery.body) for delivery in around.seen[: len(bodies)]] == expected
    await around.check()


@given(st.binary(max_size=400), st.binary(max_size=255))
async def test_no_property_whatever_ends_the_connection(written: bytes, routing_key: bytes) -> None:
    around = _Around()
    await around.settle_in()
    deliver = methods.BASIC_DELIVER + b"\x03tag" + struct.pack(">QB", 1, 0) + b"\x00"
    header = struct.pack(">HHQ", 60, 0, 1) + (written + bytes(2))[: max(2, len(written))]
    around.peer.send(
        _raw(1, 1, deliver + bytes((len(routing_key),)) + routing_key) + _raw(2, 1, header) + _raw(3, 1, b"x")
    )
    assert not around.link.lost.is_set()
    assert [delivery.body for delivery in around.seen] == [b"x"]
    await around.check()
