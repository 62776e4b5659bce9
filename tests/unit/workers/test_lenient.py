"""No property that a client can write ends the connection: headers as bytes, and as pamqp writes them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, frame
from pamqp.header import ContentHeader

from workers.broker import lenient
from workers.broker.fields import short, table
from workers.broker.lenient import Damaged, read_properties

_TYPE, _CORRELATION, _HEADERS, _TIMESTAMP, _REPLY_TO = 1 << 5, 1 << 10, 1 << 13, 1 << 6, 1 << 9
_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
"""Not empty: what is, pamqp leaves out."""
_PLACES = {
    "content_type": lenient.CONTENT_TYPE,
    "content_encoding": lenient.CONTENT_ENCODING,
    "correlation_id": lenient.CORRELATION_ID,
    "reply_to": lenient.REPLY_TO,
    "expiration": lenient.EXPIRATION,
    "message_id": lenient.MESSAGE_ID,
    "message_type": lenient.TYPE,
    "user_id": lenient.USER_ID,
    "app_id": lenient.APP_ID,
}


def _read(flags: int, properties: bytes) -> tuple[list[Any], str | None]:
    return read_properties(struct.pack(">HHQH", 60, 0, 0, flags) + properties)


def _table(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _entry(name: bytes, tag: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + tag + value


def _long(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


@given(
    st.dictionaries(st.sampled_from(sorted(_PLACES)), _TEXT),
    st.none() | st.dictionaries(_TEXT, _TEXT | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
    st.none() | st.integers(0, 2**31),
    st.none() | st.integers(1, 9),
)
def test_what_another_implementation_writes(
    texts: dict[str, str], headers: dict[str, Any] | None, timestamp: int | None, priority: int | None
) -> None:
    given = commands.Basic.Properties(
        **texts,
        headers=headers,
        delivery_mode=2,
        priority=priority,
        timestamp=None if timestamp is None else datetime.fromtimestamp(timestamp, UTC),
    )
    values, damaged = read_properties(frame.marshal(ContentHeader(0, 5, given), 1)[7:-1])
    assert {name: values[place] for name, place in _PLACES.items()} == {name: texts.get(name) for name in _PLACES}
    assert (values[lenient.HEADERS], values[lenient.TIMESTAMP]) == (headers, timestamp)
    assert (values[lenient.DELIVERY_MODE], values[lenient.PRIORITY], damaged) == (2, priority, None)


@given(st.binary(min_size=2, max_size=400))
def test_no_header_whatever_raises(properties: bytes) -> None:
    values, damaged = read_properties(bytes(12) + properties)
    assert len(values) == 14
    assert damaged is None or damaged in lenient.NAMES


@given(st.dictionaries(st.sampled_from(sorted(_PLACES)), _TEXT, min_size=1), st.data())
def test_a_header_that_is_cut_short_is_damaged(texts: dict[str, str], data: st.DataObject) -> None:
    given = commands.Basic.Properties(**texts)  # type: ignore[arg-type]
    whole = frame.marshal(ContentHeader(0, 5, given), 1)[7:-1]
    cut = data.draw(st.integers(14, len(whole) - 1))
    assert read_properties(whole[:cut])[1] in texts


@pytest.mark.parametrize(
    ("name", "place", "flag"),
    [("correlation_id", lenient.CORRELATION_ID, _CORRELATION), ("message_type", lenient.TYPE, _TYPE)],
)
def test_text_that_is_no_utf8_is_replaced_and_named(name: str, place: int, flag: int) -> None:
    values, damaged = _read(flag, b"\x03a\xff\xfe")
    assert (values[place], damaged) == ("a\ufffd\ufffd", name)
    assert isinstance(values[place], Damaged)


def test_an_absurd_timestamp_is_named_and_the_rest_is_read() -> None:
    values, damaged = _read(_TIMESTAMP | _TYPE, struct.pack(">Q", 2**62) + short("credits.use"))
    assert (values[lenient.TYPE], damaged) == ("credits.use", "timestamp")


def test_a_timestamp_in_milliseconds_is_fine() -> None:
    assert _read(_TIMESTAMP, struct.pack(">Q", 1_795_000_000_000))[1] is None


def test_of_the_headers_only_the_first_level_is_kept() -> None:
    headers = {"x": {"deadline": "inner"}, "deadline": "outer"}
    values, damaged = _read(_HEADERS, table(headers))
    assert (values[lenient.HEADERS], damaged) == ({"x": b"", "deadline": "outer"}, None)


@pytest.mark.parametrize("tag", list(b"tbBsuIilLfdDTV"))
def test_values_of_every_kind_are_passed_by_their_length(tag: int) -> None:
    sizes = dict(zip(b"tbBsuIilLfdDTV", (1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 5, 8, 0), strict=True))
    headers = _entry(b"x", bytes((tag,)), b"\xff" * sizes[tag]) + _entry(b"deadline", b"S", _long(b"d"))
    values, damaged = _read(_HEADERS, _table(headers))
    assert (values[lenient.HEADERS]["deadline"], damaged) == ("d", None)


@pytest.mark.parametrize(
    "headers",
    [b"\xff", b"\x01", b"\x01x", b"\x01x?", b"\x01xS\xff\xff\xff\xff", b"\x01xl\x00", b"\x00"],
)
def test_a_table_that_does_not_fit_is_named(headers: bytes) -> None:
    values, damaged = _read(_HEADERS | _TYPE, _table(headers) + short("credits.use"))
    assert (values[lenient.HEADERS], values[lenient.TYPE], damaged) == (None, "credits.use", "headers")


def test_a_table_that_ends_beyond_the_frame_is_named() -> None:
    values, damaged = _read(_HEADERS | _REPLY_TO, struct.pack(">I", 2**31) + b"\x00")
    assert (values[lenient.REPLY_TO], damaged) == (None, "headers")


def test_headers_nested_as_deep_as_a_frame_allows_are_no_fault() -> None:
    nested = b""
    for _ in range(16_000):
        nested = b"\x00F" + struct.pack(">I", len(nested)) + nested if len(nested) < 120_000 else nested
    assert _read(_HEADERS, _table(nested))[1] is None


@pytest.mark.parametrize(("number", "damaged"), [(64, None), (65, "headers"), (30_000, "headers")])
def test_headers_without_number_are_named(number: int, damaged: str | None) -> None:
    many = b"".join(_entry(b"%d" % (entry % 100), b"V", b"") for entry in range(number))
    values, named = _read(_HEADERS | _TYPE, _table(many) + short("credits.use"))
    assert (values[lenient.TYPE], named) == ("credits.use", damaged)
