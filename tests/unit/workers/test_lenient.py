"""No property that a client can write ends the connection: bare frames, read by the library with our readers in it."""

from __future__ import annotations

import struct

import pytest
from pamqp import commands, frame
from pamqp.header import ContentHeader

from workers.broker import lenient
from workers.broker.frames import short

lenient.install()

_TYPE, _CORRELATION, _HEADERS, _TIMESTAMP, _REPLY_TO = 1 << 5, 1 << 10, 1 << 13, 1 << 6, 1 << 9


def _read(flags: int, properties: bytes) -> commands.Basic.Properties:
    """What the library makes of a content header with these flags and properties."""
    payload = struct.pack(">HHQH", 60, 0, 0, flags) + properties
    _, _, header = frame.unmarshal(struct.pack(">BHI", 2, 1, len(payload)) + payload + b"\xce")
    assert isinstance(header, ContentHeader)
    return header.properties


def _table(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _entry(name: bytes, tag: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + tag + value


def _long(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


def test_good_properties_are_read_as_before() -> None:
    given = commands.Basic.Properties(
        content_type="application/json",
        headers={"deadline": "2026-01-01T00:00:00Z", "x-delivery-count": 3},
        delivery_mode=2,
        correlation_id="c",
        reply_to="r",
        message_id="m",
        message_type="credits.use",
        user_id="chat",
    )
    _, _, header = frame.unmarshal(frame.marshal(ContentHeader(0, 5, given), 1))
    assert isinstance(header, ContentHeader)
    assert header.properties == given
    assert lenient.damaged_property(header.properties) is None


@pytest.mark.parametrize(
    ("name", "attribute", "flag"),
    [("correlation_id", "correlation_id", _CORRELATION), ("message_type", "message_type", _TYPE)],
)
def test_text_that_is_no_utf8_is_replaced_and_named(name: str, attribute: str, flag: int) -> None:
    properties = _read(flag, b"\x03a\xff\xfe")
    assert getattr(properties, attribute) == "a\ufffd\ufffd"
    assert lenient.damaged_property(properties) == name


def test_an_absurd_timestamp_is_named_and_the_rest_is_read() -> None:
    properties = _read(_TIMESTAMP | _TYPE, struct.pack(">Q", 2**62) + short("credits.use"))
    assert lenient.damaged_property(properties) == "timestamp"
    assert properties.message_type == "credits.use"


def test_a_timestamp_in_milliseconds_is_fine() -> None:
    assert lenient.damaged_property(_read(_TIMESTAMP, struct.pack(">Q", 1_795_000_000_000))) is None


def test_of_the_headers_only_the_first_level_is_kept() -> None:
    inner = _table(_entry(b"deadline", b"S", _long(b"inner")))
    headers = _entry(b"x", b"F", inner) + _entry(b"a", b"A", _table(b"")) + _entry(b"deadline", b"S", _long(b"outer"))
    properties = _read(_HEADERS, _table(headers))
    assert properties.headers is not None
    assert properties.headers["deadline"] == "outer"
    assert lenient.damaged_property(properties) is None


@pytest.mark.parametrize("tag", list(b"tbBsuIilLfdDTV"))
def test_values_of_every_kind_are_passed_by_their_length(tag: int) -> None:
    sizes = dict(zip(b"tbBsuIilLfdDTV", (1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 5, 8, 0), strict=True))
    headers = _entry(b"x", bytes((tag,)), b"\xff" * sizes[tag]) + _entry(b"deadline", b"S", _long(b"d"))
    properties = _read(_HEADERS, _table(headers))
    assert properties.headers is not None
    assert properties.headers["deadline"] == "d"


@pytest.mark.parametrize(
    "headers",
    [b"\xff", b"\x01", b"\x01x", b"\x01x?", b"\x01xS\xff\xff\xff\xff", b"\x01xl\x00", b"\x00"],
)
def test_a_table_that_does_not_fit_is_named(headers: bytes) -> None:
    assert lenient.damaged_property(_read(_HEADERS, _table(headers))) == "headers"


def test_a_table_that_ends_beyond_the_frame_is_named() -> None:
    properties = _read(_HEADERS | _REPLY_TO, struct.pack(">I", 2**31) + b"\x00")
    assert lenient.damaged_property(properties) == "headers"
    assert properties.reply_to is None


def test_headers_nested_as_deep_as_a_frame_allows_are_no_fault() -> None:
    nested = b""
    for _ in range(16_000):
        nested = b"\x00F" + struct.pack(">I", len(nested)) + nested if len(nested) < 120_000 else nested
    properties = _read(_HEADERS, _table(nested))
    assert lenient.damaged_property(properties) is None


def test_headers_as_many_as_a_frame_allows_are_no_fault() -> None:
    many = b"".join(_entry(b"%d" % (number % 100), b"V", b"") for number in range(30_000))
    assert lenient.damaged_property(_read(_HEADERS, _table(many))) is None


def test_a_routing_key_that_is_no_utf8_is_replaced() -> None:
    deliver = struct.pack(">HH", 60, 60) + short("tag") + struct.pack(">QB", 1, 0) + short("e") + b"\x02\xff\xfe"
    _, _, method = frame.unmarshal(struct.pack(">BHI", 1, 1, len(deliver)) + deliver + b"\xce")
    assert isinstance(method, commands.Basic.Deliver)
    assert isinstance(method.routing_key, lenient.Damaged)
