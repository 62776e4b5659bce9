"""Replies that may break the connection which they are sent on.

A forged direct reply-to token can crash the broker's side of whoever answers it. A delivery that came back again and
again may be one, so it is acknowledged once it is committed, and its reply goes out last, alone, on a connection that
is used for nothing else. The rate is low: this is FastStream's own broker, and the application's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from contracts.replies import CONTENT_TYPE, REPLY_TYPE
from workers.broker.calling import calling
from workers.broker.channel import CLOSE_SECONDS
from workers.broker.consumer import Reply
from workers.broker.lazy import LazyBroker

_log = structlog.get_logger(__name__)

_WAITING_MAX: Final = 4096
_PAUSE_SECONDS: Final = 1.0
_CONFIRM_SECONDS: Final = 10.0


class LateReplies(LazyBroker):
    """Sends what it is given one by one, each once. ``on_lost`` is called for each that found no way out."""

    def __init__(self, url: str, on_lost: Callable[[], None]) -> None:
        super().__init__(url)
        self._on_lost = on_lost
        self._replies: asyncio.Queue[Reply] = asyncio.Queue(_WAITING_MAX)
        self._unsent = 0

    def send_later(self, reply: Reply) -> None:
        """Puts a reply in line; beyond 4,096 waiting ones it is dropped, and counted: its key finds the answer."""
        try:
            self._replies.put_nowait(reply)
        except asyncio.QueueFull:
            self._on_lost()
        else:
            self._unsent += 1

    async def run(self) -> None:
        """Sends until cancelled; connects when there is something to send."""
        while True:
            reply = await self._replies.get()
            await self._connected()
            try:
                await self._send(reply)
            except Exception as error:  # whatever is wrong with this one, the next is another's
                _log.warning("a late reply found no way out", to=reply.to, reason=repr(error))
                self._on_lost()
                await self._disconnected()
            self._unsent -= 1
            self._replies.task_done()

    async def drain(self, within: float) -> None:
        """Returns once all are sent, or after ``within`` seconds; those that are left then are counted as lost."""
        try:
            async with asyncio.timeout(within):
                await self._replies.join()
        except TimeoutError:
            _log.warning("late replies are left unsent", number=self._unsent)
            for _ in range(self._unsent):
                self._on_lost()

    async def _connected(self) -> None:
        while True:
            try:
                async with calling("late replies are not connected"):
                    await self.start_now()
            except Exception as error:  # whatever it is, replies that come later must find somebody who sends them
                _log.warning("late replies wait for the broker", reason=repr(error))
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    async def _disconnected(self) -> None:
        """What broke the connection has left it in any state; the next reply gets a new one."""
        try:
            async with calling("the connection of late replies was not closed", CLOSE_SECONDS):
                await self.stop()
        except Exception as error:
            _log.warning("no goodbye", reason=repr(error))

    async def _send(self, reply: Reply) -> None:
        """Its confirm says that the connection has outlived it."""
        async with calling("not confirmed", _CONFIRM_SECONDS):
            await self.publish(
                reply.body,
                routing_key=reply.to,
                mandatory=False,
                correlation_id=reply.correlation_id or None,
                headers=None if reply.headers is None else {**reply.headers},
                content_type=CONTENT_TYPE,
                message_type=REPLY_TYPE,
            )
