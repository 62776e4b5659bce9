"""Our frames are the specification's: read back by pamqp, which knows nothing of them."""

from __future__ import annotations

from typing import Any

import pytest
from pamqp import commands, frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from workers.broker.fields import short
from workers.broker.frames import Framer, properties


def _read(data: bytes) -> list[tuple[int, Any]]:
    frames: list[tuple[int, Any]] = []
    while data:
        used, channel, value = frame.unmarshal(data)
        frames.append((channel, value))
        data = data[used:]
    return frames


@pytest.mark.parametrize("size", [0, 1, 100, 4088, 4089, 10_000])
@pytest.mark.parametrize("mandatory", [True, False])
def test_a_message_of_any_size(size: int, mandatory: bool) -> None:
    body = bytes(range(256)) * 40
    header = properties(
        content_type="application/json",
        headers={"reason": "é" * 200},
        delivery_mode=2,
        correlation_id="c",
        message_id="m",
        type_="credits.result",
    )
    written = Framer(7, 4096).publish("", "reply", header, body[:size], mandatory=mandatory)
    (_, method), (_, content), *bodies = _read(written)
    assert isinstance(method, commands.Basic.Publish)
    assert (method.exchange, method.routing_key, method.mandatory) == ("", "reply", mandatory)
    assert isinstance(content, ContentHeader)
    assert content.body_size == size
    assert (content.properties.content_type, content.properties.headers) == ("application/json", {"reason": "é" * 200})
    assert (content.properties.correlation_id, content.properties.message_id) == ("c", "m")
    assert (content.properties.message_type, content.properties.delivery_mode) == ("credits.result", 2)
    assert b"".join(part.value for _, part in bodies if isinstance(part, ContentBody)) == body[:size]
    assert {channel for channel, _ in _read(written)} == {7}


def test_no_frame_is_larger_than_agreed() -> None:
    written = Framer(1, 4096).publish("", "q", properties(), b"x" * 10_000, mandatory=False)
    while written:
        used, _, _ = frame.unmarshal(written)
        assert used <= 4096
        written = written[used:]


def test_an_ack_of_everything_up_to_a_tag() -> None:
    ((channel, ack),) = _read(Framer(3, 4096).ack(2**40))
    assert (channel, ack.delivery_tag, ack.multiple) == (3, 2**40, True)


def test_a_text_that_is_too_long_is_no_short_string() -> None:
    with pytest.raises(ValueError, match="256"):
        short("x" * 256)
