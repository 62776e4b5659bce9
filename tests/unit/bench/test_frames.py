"""What we write, another implementation of the protocol reads (pamqp), and the other way round."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pamqp.frame
import pytest
from pamqp import commands as spec
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from bench.frames import BrokerError, Properties, Template, message_frames
from bench.frames.address import Address
from bench.frames.confirms import Confirms
from bench.frames.content import Content
from bench.frames.methods import BASIC_DELIVER
from bench.frames.parser import Parser
from bench.frames.properties import body_size, correlation_id
from bench.frames.wire import HEARTBEAT_FRAME, METHOD, short_string, table

USER = b"01900000-0000-7000-8000-000000000001"


def _decoded(data: bytes) -> list[Any]:
    frames: list[Any] = []
    while data:
        used, _channel, frame = pamqp.frame.unmarshal(data)
        frames.append(frame)
        data = data[used:]
    return frames


def test_a_published_message_is_what_the_contract_asks_for() -> None:
    body = '{"userId":"…"}'.encode()
    method, header, content = _decoded(Template("credits.commands", "credits.use", "admin").frames(USER, b"7.1", body))
    assert (method.exchange, method.routing_key, method.mandatory) == ("credits.commands", USER.decode(), True)
    properties = header.properties
    assert (properties.message_type, properties.user_id) == ("credits.use", "admin")
    assert (properties.delivery_mode, properties.content_type) == (2, "application/json")
    assert (properties.correlation_id, properties.reply_to) == ("7.1", "amq.rabbitmq.reply-to")
    assert header.body_size == len(body)
    assert content.value == body


@pytest.mark.parametrize("reply_to", ["amq.rabbitmq.reply-to", None])
def test_a_message_with_properties_of_its_own(reply_to: str | None) -> None:
    headers = {"deadline": "2026-01-01T00:00:00Z", "n": 3}
    sent = Properties("credits.use", "admin", b"7.1", message_id="m", reply_to=reply_to, headers=headers)
    method, header, content = _decoded(message_frames("credits.commands", USER.decode(), sent, b"{}"))
    assert (method.exchange, method.routing_key, method.mandatory) == ("credits.commands", USER.decode(), True)
    properties = header.properties
    assert (properties.message_type, properties.user_id, properties.message_id) == ("credits.use", "admin", "m")
    assert (properties.correlation_id, properties.reply_to, properties.headers) == ("7.1", reply_to, headers)
    assert (properties.delivery_mode, properties.content_type, header.body_size) == (2, "application/json", 2)
    assert content.value == b"{}"


def test_strings_and_tables_are_read_alike() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    fields = {"product": "mana", "capabilities": {"basic.nack": True, "other": False}, "n": -(2**40), "at": moment}
    assert pamqp.decode.field_table(table(fields))[1] == fields
    with pytest.raises(ValueError, match="255"):
        short_string("x" * 256)


def _marshal(frame: Frame | ContentHeader | ContentBody) -> bytes:
    return pamqp.frame.marshal(frame, 1)


@pytest.mark.parametrize(
    "properties",
    [
        spec.Basic.Properties(correlation_id="12.3"),
        spec.Basic.Properties(
            content_type="application/json",
            content_encoding="utf-8",
            headers={"traceparent": "00-a-b-01", "n": 3},
            delivery_mode=2,
            priority=1,
            correlation_id="12.3",
            reply_to="elsewhere",
            message_id="m",
            message_type="credits.result",
        ),
    ],
)
def test_the_correlation_id_is_found_among_any_properties(properties: spec.Basic.Properties) -> None:
    [(_, _, payload)] = Parser().feed(_marshal(ContentHeader(body_size=5, properties=properties)))
    assert correlation_id(payload) == b"12.3"
    assert body_size(payload) == 5


def test_a_message_without_a_correlation_id_has_an_empty_one() -> None:
    header = ContentHeader(body_size=0, properties=spec.Basic.Properties(content_type="text/plain"))
    [(_, _, payload)] = Parser().feed(_marshal(header))
    assert correlation_id(payload) == b""


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_frames_may_arrive_in_pieces_of_any_size(size: int) -> None:
    sent = b"".join((_marshal(spec.Basic.Ack(9, multiple=True)), HEARTBEAT_FRAME, _marshal(ContentBody(b"abc"))))
    parser = Parser()
    frames = [frame for start in range(0, len(sent), size) for frame in parser.feed(sent[start : start + size])]
    assert [(kind, channel) for kind, channel, _ in frames] == [(METHOD, 1), (8, 0), (3, 1)]
    assert frames[2][2] == b"abc"


def test_what_is_no_frame_is_told() -> None:
    with pytest.raises(BrokerError, match="no AMQP"):
        list(Parser().feed(b"HTTP/1.1 400 Bad Request\r\n\r\n"))


def test_a_body_comes_in_as_many_parts_as_it_takes() -> None:
    header = ContentHeader(body_size=6, properties=spec.Basic.Properties(correlation_id="1"))
    [(_, _, payload)] = Parser().feed(_marshal(header))
    content = Content(0, b"")
    assert [content.take_header(payload), content.take_body(b"abc"), content.take_body(b"def")] == [False, False, True]
    assert content.body == b"abcdef"


def test_a_delivery_has_a_tag() -> None:
    delivery = spec.Basic.Deliver(consumer_tag="c", delivery_tag=2**33, exchange="e", routing_key="r")
    [(_, _, payload)] = Parser().feed(_marshal(delivery))
    assert Content(BASIC_DELIVER, payload).delivery_tag == 2**33


def test_confirms_settle_one_or_all_up_to_a_tag() -> None:
    confirms = Confirms()
    for name in (b"a", b"b", b"c", b"d"):
        confirms.sent(name)
    assert confirms.settle(2, multiple=False) == [b"b"]
    assert confirms.settle(3, multiple=True) == [b"a", b"c"]
    assert confirms.settle(3, multiple=False) == []
    assert len(confirms) == 1


def test_an_address_is_taken_apart() -> None:
    address = Address.of("amqps://a%40b:p%2Fw@[::1]:5673/my%2Fhost")
    assert address == Address("::1", 5673, True, "a@b", "p/w", "my/host")
    assert Address.of("amqp://host/").virtual_host == "/"
    assert Address.of("amqp://host").port == 5672


@pytest.mark.parametrize("url", ["", "http://host/", "amqp://", "amqp://host:port/", "amqp://host:99999/"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(BrokerError):
        Address.of(url)
