"""The queue ``credits.dead``, read by a test: what came into it, by correlation id."""

from __future__ import annotations

import asyncio
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from tests.e2e.client import Client

COPY_SECONDS = 10.0


class Dead:
    """Takes every dead copy from now on, and keeps it."""

    def __init__(self) -> None:
        self.copies: dict[str, AbstractIncomingMessage] = {}
        self._more = asyncio.Condition()

    async def consume(self, client: Client) -> None:
        """Begins to take copies."""
        await client.channel.set_qos(prefetch_count=100)
        await (await client.dead()).consume(self._take)

    async def copy(self, correlation_id: str) -> AbstractIncomingMessage:
        """The copy of a message. Raises TimeoutError when there is none."""
        async with asyncio.timeout(COPY_SECONDS), self._more:
            await self._more.wait_for(lambda: correlation_id in self.copies)
        return self.copies[correlation_id]

    def holds(self, correlation_id: str) -> bool:
        """Whether a copy has come by now."""
        return correlation_id in self.copies

    async def _take(self, message: AbstractIncomingMessage) -> None:
        await message.ack()
        async with self._more:
            self.copies[message.correlation_id or ""] = message
            self._more.notify_all()


def reason(copy: AbstractIncomingMessage) -> str:
    """Why it was kept."""
    value: Any = copy.headers["reason"]
    return value.decode() if isinstance(value, bytes) else str(value)
