"""Publishing with confirms, pipelined: many messages on their way, each with a verdict in the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

from msgspec import Struct
from pamqp import commands as spec
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from workers.broker.frames import Framer
from workers.broker.link import Link
from workers.broker.tap import Frame, TappedChannel


class Verdict(Enum):
    """What became of a publish. ``LOST``: nobody knows, the connection went before the answer came."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNROUTABLE = "unroutable"
    LOST = "lost"


class Publication(Struct, frozen=True):
    """A message to be published; ``message_id`` stands in ``header`` too, and tells it from all others on their way.

    ``mandatory``: the broker sends it back when no queue takes it.
    """

    exchange: str
    routing_key: str
    message_id: str
    header: bytes
    body: bytes
    mandatory: bool = True


Settled = Callable[[Verdict], None]


class _Waiting(Struct):
    message_id: str
    settled: Settled
    since: float
    returned: bool = False


class Publisher:
    """A channel with confirms. Verdicts come in any order; after ``link`` is lost, or the channel, all are ``LOST``."""

    def __init__(self, link: Link) -> None:
        self.lost = asyncio.Event()
        self.link = link
        self._channel: TappedChannel
        self._framer: Framer
        self._tag = 0
        self._waiting: dict[int, _Waiting] = {}
        self._tags: dict[str, int] = {}
        self._returning = False

    @classmethod
    async def open(cls, link: Link) -> Publisher:
        """Opens the channel. Raises ``BrokerLostError``."""
        publisher = cls(link)
        publisher._channel = await link.channel(publisher._on_frame, confirms=True)
        publisher._framer = Framer(publisher._channel.number, link.frame_max)
        publisher._channel.closing.add_done_callback(publisher._on_closed)
        return publisher

    def publish(self, message: Publication, settled: Settled) -> None:
        """Sends at once; ``settled`` is called with the verdict, never before this returns, exactly once."""
        if self.lost.is_set():
            asyncio.get_running_loop().call_soon(settled, Verdict.LOST)
            return
        self._tag += 1
        self._waiting[self._tag] = _Waiting(message.message_id, settled, time.monotonic())
        self._tags[message.message_id] = self._tag
        self.link.write(
            self._framer.publish(
                message.exchange, message.routing_key, message.header, message.body, mandatory=message.mandatory
            )
        )

    def overdue(self) -> float:
        """How long the oldest message has been without a verdict, in seconds."""
        oldest = next(iter(self._waiting.values()), None)
        return 0.0 if oldest is None else time.monotonic() - oldest.since

    def _on_frame(self, frame: Frame) -> bool:
        kind = type(frame)
        if kind is spec.Basic.Ack:
            self._settle(frame.delivery_tag, frame.multiple, Verdict.CONFIRMED)
        elif kind is spec.Basic.Nack:
            self._settle(frame.delivery_tag, frame.multiple, Verdict.REFUSED)
        elif kind is spec.Basic.Return:
            self._returning = True
        elif self._returning and kind is ContentHeader:
            self._on_returned(frame)
        else:
            return self._returning and kind is ContentBody
        return True

    def _on_returned(self, header: ContentHeader) -> None:
        """The confirm of a message that came back follows; only it ends the wait."""
        waiting = self._waiting.get(self._tags.get(header.properties.message_id or "", 0))
        if waiting is not None:
            waiting.returned = True

    def _settle(self, tag: int, multiple: bool, verdict: Verdict) -> None:
        self._returning = False
        if not multiple:
            self._finish(tag, verdict)
            return
        while self._waiting and (first := next(iter(self._waiting))) <= tag:
            self._finish(first, verdict)

    def _finish(self, tag: int, verdict: Verdict) -> None:
        waiting = self._waiting.pop(tag, None)
        if waiting is None:
            return
        if self._tags.get(waiting.message_id) == tag:
            del self._tags[waiting.message_id]
        returned = waiting.returned and verdict is Verdict.CONFIRMED
        waiting.settled(Verdict.UNROUTABLE if returned else verdict)

    def _on_closed(self, _: asyncio.Future[Any]) -> None:
        self.lost.set()
        while self._waiting:
            self._finish(next(iter(self._waiting)), Verdict.LOST)
