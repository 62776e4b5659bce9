"""Somebody who reads along what is sent, keeps it, and publishes old messages again, as they were, in any order.

It reads at an exchange of its own that clients publish to, and that passes everything on to the commands' exchange.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from tests.faults.oracle.commands import EXCHANGE

BEFORE: Final = "faults.before"
"""The exchange to publish to."""
_OLD_SECONDS: Final = 1.0
"""Only what is that old is published again: a copy that came before its original would be a disorder of our own."""
_KEPT: Final = 5_000
_BEAT_SECONDS: Final = 0.05


class Republisher:
    """Publishes ``rate`` old messages a second; ``published`` counts those that the broker has confirmed."""

    def __init__(self, commands: AbstractExchange, rate: float, chance: Random) -> None:
        self.published = 0
        self._commands = commands
        self._rate = rate
        self._chance = chance
        self._seen: deque[tuple[float, AbstractIncomingMessage]] = deque(maxlen=_KEPT)

    async def take(self, message: AbstractIncomingMessage) -> None:
        """One message that went by."""
        self._seen.append((time.monotonic(), message))

    async def run(self) -> None:
        """Goes on until cancelled. Raises what the broker has against it."""
        then = time.monotonic()
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            now = time.monotonic()
            old = [message for at, message in self._seen if now - at > _OLD_SECONDS]
            chosen = self._chance.sample(old, min(len(old), round(self._rate * (now - then))))
            then = now
            await asyncio.gather(*(self._commands.publish(message, message.routing_key or "") for message in chosen))
            self.published += len(chosen)


@asynccontextmanager
async def republishing(amqp_url: str, rate: float, chance: Random) -> AsyncGenerator[Republisher]:
    """Until the block ends. Raises at its end what went wrong meanwhile."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        before = await channel.declare_exchange(BEFORE, aio_pika.ExchangeType.FANOUT)
        commands = await channel.get_exchange(EXCHANGE, ensure=False)
        seen = await channel.declare_queue(exclusive=True)
        republisher = Republisher(commands, rate, chance)
        await commands.bind(before)
        await seen.bind(before)
        await seen.consume(republisher.take, no_ack=True)
        running = asyncio.create_task(republisher.run())
        try:
            yield republisher
        finally:
            running.cancel()
            (ended,) = await asyncio.gather(running, return_exceptions=True)
            await before.delete()
    if ended is not None and not isinstance(ended, asyncio.CancelledError):
        raise ended
