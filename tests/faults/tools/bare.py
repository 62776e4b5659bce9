"""One message by itself, as bare frames: any bytes may stand anywhere in it; and what its publisher is told."""

from __future__ import annotations

import asyncio
import time

from msgspec import Struct

from bench.frames import BrokerError, connect
from tests.faults.tools.errors import ToolError

_ANSWER_SECONDS = 20.0


class Fate(Struct):
    """What the publisher heard: ``reply`` its body, ``closed`` the broker's reason, ``seconds`` from sent to told."""

    reply: bytes | None = None
    confirmed: bool = False
    closed: str | None = None
    seconds: float = 0.0


async def publish_bare(url: str, frames: bytes, *, answered: bool) -> Fate:
    """Publishes on a connection of its own; returns with the reply, or else with the confirm.

    A connection that the broker closes ends the waiting too. Raises ``ToolError`` where nothing of it comes, or the
    message met no queue.
    """
    hearing = _Hearing(answered)
    sender = await connect(url, hearing, confirmed=hearing.confirmed)
    began = time.monotonic()
    try:
        sender.publish_frames(b"bare", frames)
        await asyncio.wait_for(hearing.told, _ANSWER_SECONDS)
    except TimeoutError:
        raise ToolError(f"nothing was heard of a message within {_ANSWER_SECONDS:.0f} s: {hearing.fate}") from None
    finally:
        await sender.close()
    hearing.fate.seconds = time.monotonic() - began
    return hearing.fate


class _Hearing:
    """The receiver of one message's fate (``bench.frames.Receiver``)."""

    def __init__(self, answered: bool) -> None:
        self.fate = Fate()
        self.told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answered = answered

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        self.fate.reply = body
        self._end()

    def confirmed(self, correlation_id: bytes) -> None:
        self.fate.confirmed = True
        if not self._answered:
            self._end()

    def refused(self, correlation_id: bytes) -> None:
        self._end(ToolError("the broker did not take the message"))

    def unroutable(self, correlation_id: bytes) -> None:
        self._end(ToolError("the message met no queue"))

    def lost(self, error: BrokerError) -> None:
        self.fate.closed = str(error)
        self._end()

    def _end(self, error: ToolError | None = None) -> None:
        if self.told.done():
            return
        if error is None:
            self.told.set_result(None)
        else:
            self.told.set_exception(error)
