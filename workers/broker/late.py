"""Replies that may break the connection which they are sent on.

A forged direct reply-to token can crash the broker's side of whoever answers it. A delivery that came back again and
again may be one, so it is acknowledged once it is committed, and its reply goes out last, alone, on a connection that
is used for nothing else (DESIGN.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import uuid4

import structlog

from workers.broker.consumer import Reply
from workers.broker.errors import BrokerLostError
from workers.broker.link import Link
from workers.broker.publisher import Publication, Publisher, Verdict

_log = structlog.get_logger(__name__)

_WAITING_MAX: Final = 4096
_PAUSE_SECONDS: Final = 1.0
_VERDICT_SECONDS: Final = 10.0


class LateReplies:
    """Sends what it is given one by one, each once. ``on_lost`` is called for each that found no way out."""

    def __init__(self, url: str, name: str, on_lost: Callable[[], None]) -> None:
        self._url = url
        self._name = name
        self._on_lost = on_lost
        self._replies: asyncio.Queue[Reply] = asyncio.Queue(_WAITING_MAX)
        self._publisher: Publisher | None = None

    def send(self, reply: Reply) -> None:
        """Puts a reply in line; beyond 4,096 waiting ones it is dropped, and counted: its key finds the answer."""
        try:
            self._replies.put_nowait(reply)
        except asyncio.QueueFull:
            self._on_lost()

    async def run(self) -> None:
        """Sends until cancelled; connects when there is something to send."""
        try:
            while True:
                reply = await self._replies.get()
                if await self._send(reply) is Verdict.LOST:
                    _log.warning("a late reply broke its connection", to=reply.to)
                    self._on_lost()
                    await self._close()
        finally:
            await self._close()

    async def _send(self, reply: Reply) -> Verdict:
        publisher = await self._ready()
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        message = Publication("", reply.to, uuid4().hex, reply.header, reply.body, mandatory=False)
        publisher.publish(message, lambda value: None if verdict.done() else verdict.set_result(value))
        try:
            async with asyncio.timeout(_VERDICT_SECONDS):
                return await verdict
        except TimeoutError:
            return Verdict.LOST

    async def _ready(self) -> Publisher:
        while self._publisher is None or self._publisher.lost.is_set():
            try:
                self._publisher = await Publisher.open(await Link.open(self._url, self._name))
            except BrokerLostError as error:
                _log.warning("late replies wait for the broker", reason=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
        return self._publisher

    async def _close(self) -> None:
        if self._publisher is not None:
            await self._publisher.link.close()
            self._publisher = None
