"""A message that is published many times over: all that stays the same is encoded once."""

from __future__ import annotations

from struct import Struct, pack
from typing import Final

from bench.frames import methods
from bench.frames.properties import BASIC, around_correlation_id
from bench.frames.wire import BODY, FRAME_HEAD, HEADER, METHOD, short_string

_CONTENT: Final = Struct(">HHQ")


class Template:
    """Persistent, mandatory messages of one command to one exchange, answered by direct reply-to."""

    def __init__(self, exchange: str, message_type: str, login: str, channel: int = 1) -> None:
        self._channel = channel
        # Two reserved bytes come first in basic.publish.
        self._publish = pack(">IH", methods.BASIC_PUBLISH, 0) + short_string(exchange)
        self._before, self._after = around_correlation_id(
            content_type="application/json",
            reply_to="amq.rabbitmq.reply-to",
            message_type=message_type,
            user_id=login,
        )

    def frames(self, routing_key: bytes, correlation_id: bytes, body: bytes) -> bytes:
        """The three frames of one message; key and correlation id are at most 255 bytes, a body less than a frame."""
        head, channel = FRAME_HEAD.pack, self._channel
        method_size = len(self._publish) + len(routing_key) + 2
        header_size = _CONTENT.size + len(self._before) + 1 + len(correlation_id) + len(self._after)
        return b"".join(
            (
                head(METHOD, channel, method_size),
                self._publish,
                len(routing_key).to_bytes(),
                routing_key,
                b"\x01\xce",  # the bits: mandatory; the frame's end
                head(HEADER, channel, header_size),
                _CONTENT.pack(BASIC, 0, len(body)),
                self._before,
                len(correlation_id).to_bytes(),
                correlation_id,
                self._after,
                b"\xce",
                head(BODY, channel, len(body)),
                body,
                b"\xce",
            )
        )
