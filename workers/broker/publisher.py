"""Publishing with confirms, pipelined: many messages on their way, each with a verdict in the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import Enum
from itertools import takewhile
from struct import Struct as Layout
from typing import Final

import structlog
from msgspec import Struct

from workers.broker import lenient, methods
from workers.broker.channel import Channel, Listener, unexpected
from workers.broker.link import Link

_log = structlog.get_logger(__name__)

_CONFIRM: Final = Layout(">4xQB")
"""Behind the method's number: a tag, and flags."""
_MULTIPLE: Final = 1
"""The flag of a confirm that is for all up to its tag."""


class Verdict(Enum):
    """What became of a publish. ``LOST``: nobody knows, the connection went before the answer came."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNROUTABLE = "unroutable"
    LOST = "lost"


_VERDICTS: Final = {methods.BASIC_ACK: Verdict.CONFIRMED, methods.BASIC_NACK: Verdict.REFUSED}


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
        self._channel: Channel
        self._tag = 0
        self._waiting: dict[int, _Waiting] = {}
        self._tags: dict[str, int] = {}

    @classmethod
    async def open(cls, link: Link) -> Publisher:
        """Opens the channel. Raises ``BrokerLostError``."""
        publisher = cls(link)
        await publisher.begin()
        return publisher

    async def begin(self) -> None:
        """What :meth:`open` does of a new one."""
        listener = Listener(self._on_returned, self._on_method, self._on_lost)
        self._channel = await self.link.channel(listener)
        await self._channel.call(methods.confirm_select(), methods.CONFIRM_SELECT_OK)

    def publish(self, message: Publication, settled: Settled) -> None:
        """Sends at once; ``settled`` is called with the verdict, never before this returns, exactly once.

        Raises ``ValueError`` for a routing key that no frame holds; nothing is sent then.
        """
        if self.lost.is_set():
            asyncio.get_running_loop().call_soon(settled, Verdict.LOST)
            return
        frames = self._channel.framer.publish(
            message.exchange, message.routing_key, message.header, message.body, mandatory=message.mandatory
        )
        self._tag += 1  # counted only now: what cannot be framed is not sent, and the broker counts what it gets
        self._waiting[self._tag] = _Waiting(message.message_id, settled, time.monotonic())
        self._tags[message.message_id] = self._tag
        self._channel.write(frames)

    def overdue(self) -> float:
        """How long the oldest message has been without a verdict, in seconds."""
        oldest = next(iter(self._waiting.values()), None)
        return 0.0 if oldest is None else time.monotonic() - oldest.since

    def _on_method(self, number: bytes, payload: bytes) -> None:
        verdict = _VERDICTS.get(number)
        if verdict is None:
            unexpected(number)
        tag, flags = _CONFIRM.unpack_from(payload)
        self._settle(tag, flags & _MULTIPLE, verdict)

    def _on_returned(self, carrier: bytes, header: bytes, _body: bytes) -> None:
        """The confirm of a message that came back follows; only it ends the wait."""
        if carrier[:4] != methods.BASIC_RETURN:
            unexpected(carrier)
        message_id = lenient.read_properties(header)[0][lenient.MESSAGE_ID]
        waiting = self._waiting.get(self._tags.get(message_id, 0))
        if waiting is not None:
            waiting.returned = True

    def _settle(self, tag: int, multiple: int, verdict: Verdict) -> None:
        if not multiple:
            self._finish(tag, verdict)
            return
        for settled in list(takewhile(lambda waiting: waiting <= tag, self._waiting)):  # in the order sent
            self._finish(settled, verdict)

    def _finish(self, tag: int, verdict: Verdict) -> None:
        waiting = self._waiting.pop(tag, None)
        if waiting is None:
            return
        if self._tags.get(waiting.message_id) == tag:
            del self._tags[waiting.message_id]
        returned = waiting.returned and verdict is Verdict.CONFIRMED
        waiting.settled(Verdict.UNROUTABLE if returned else verdict)

    def _on_lost(self, _reason: str) -> None:
        self.lost.set()
        for tag in list(self._waiting):
            try:
                self._finish(tag, Verdict.LOST)
            except MemoryError:
                raise
            except Exception:  # the others must hear of it all the same
                _log.exception("who waited for a verdict could not take it", tag=tag)
