"""Frames come to their channels however the bytes were cut; what is no frame ends it, and nothing piles up."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from workers.broker.errors import BrokerLostError, ProtocolError
from workers.broker.frames import BODY, FRAME_OVERHEAD, HEADER, HEARTBEAT, METHOD
from workers.broker.parser import Parser, Receiver

_FRAME_MAX = 4096
_CHANNELS = range(4)

Seen = list[tuple[int, int, bytes]]


class _Receiver:
    """Notes what comes."""

    def __init__(self, number: int, seen: Seen) -> None:
        def take(kind: int, payload: bytes) -> None:
            seen.append((number, kind, payload))

        self.take = take

    def lose(self, error: BrokerLostError) -> None:
        raise AssertionError(error)


def _parser(seen: Seen) -> Parser:
    receivers: dict[int, Receiver] = {number: _Receiver(number, seen) for number in _CHANNELS}
    return Parser(receivers, _FRAME_MAX)


def _raw(kind: int, channel: int, payload: bytes, end: bytes = b"\xce") -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + end


def _held(parser: Parser) -> int:
    """Bytes of a frame whose rest is still to come."""
    return len(vars(parser)["_rest"])


def _feed(parser: Parser, data: bytes, cuts: Sequence[int]) -> None:
    edges = [0, *sorted({min(cut, len(data)) for cut in cuts}), len(data)]
    for start, end in pairwise(edges):
        parser.feed(data[start:end])


@st.composite
def _written(draw: st.DrawFn) -> tuple[bytes, Seen]:
    """Frames as pamqp writes them, and what is to be seen of them."""
    data, seen = b"", list[tuple[int, int, bytes]]()
    for _ in range(draw(st.integers(1, 8))):
        channel = draw(st.sampled_from(_CHANNELS))
        kind, value = draw(
            st.sampled_from(
                [
                    (METHOD, commands.Basic.Deliver("tag", 2**40, True, "exchange", "key")),
                    (METHOD, commands.Basic.Ack(7, True)),
                    (HEADER, ContentHeader(0, 9, commands.Basic.Properties(correlation_id="c"))),
                    (BODY, ContentBody(draw(st.binary(max_size=_FRAME_MAX - 8)))),
                    (HEARTBEAT, Heartbeat()),
                ]
            )
        )
        if kind == HEARTBEAT:
            channel = 0
        written = frame.marshal(value, channel)
        data += written
        seen.append((channel, kind, written[7:-1]))
    return data, seen


@given(_written(), st.lists(st.integers(0, 40_000), max_size=12))
def test_frames_are_seen_however_they_are_cut(written: tuple[bytes, Seen], cuts: list[int]) -> None:
    data, expected = written
    seen: Seen = []
    _feed(_parser(seen), data, cuts)
    assert seen == expected


@given(_written())
def test_frames_are_seen_byte_by_byte(written: tuple[bytes, Seen]) -> None:
    data, expected = written
    seen: Seen = []
    _feed(_parser(seen), data[:600], range(len(data)))
    ends = list(accumulate(len(payload) + FRAME_OVERHEAD for _, _, payload in expected))
    assert seen == expected[: sum(end <= 600 for end in ends)]
    _feed(parser := _parser(seen := []), data, range(0, len(data), 7))
    assert seen == expected
    parser.feed(b"")
    assert seen == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_raw(METHOD, 1, b"x" * (_FRAME_MAX - 7)), "a frame of 4089 bytes"),
        (b"AMQP\x00\x00\x09\x01", "no AMQP 0-9-1"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no AMQP 0-9-1"),
        (_raw(METHOD, 1, b"x", end=b"\xcd"), "end where it should"),
        (_raw(METHOD, 9, b"x"), "channel 9, which is not open"),
    ],
    ids=["oversized", "another version", "another protocol", "wrong end", "unknown channel"],
)
def test_what_is_no_frame_is_told(data: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        _parser([]).feed(data)


def test_an_oversized_frame_is_told_by_its_head() -> None:
    with pytest.raises(ProtocolError, match="a frame of"):
        _parser([]).feed(struct.pack(">BHIB", METHOD, 1, 2**31, 0))


@given(st.lists(st.binary(max_size=3 * _FRAME_MAX), max_size=20))
def test_nothing_piles_up(chunks: list[bytes]) -> None:
    parser = _parser([])
    try:
        for chunk in chunks:
            parser.feed(chunk)
            assert _held(parser) < _FRAME_MAX
    except ProtocolError:
        return


def test_a_frame_in_many_pieces_is_looked_at_once_it_is_whole() -> None:
    seen: Seen = []
    parser = _parser(seen)
    whole = _raw(BODY, 1, b"x" * 4000)
    for byte in whole[:-1]:
        parser.feed(bytes((byte,)))
        assert _held(parser) >= 1
    assert not seen
    parser.feed(whole[-1:])
    assert seen == [(1, BODY, b"x" * 4000)]
