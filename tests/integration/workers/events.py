"""An independent subscriber of the ledger's events."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from tests.integration.workers.running import until


class Subscriber:
    """Keeps all events that came, in order, repeats included."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.keys: list[str] = []

    def of(self, user_id: str) -> list[dict[str, Any]]:
        """A user's events, repeats dropped."""
        return list({event["id"]: event for event in self.events if event["subject"] == user_id}.values())

    async def has(self, user_id: str, number: int) -> list[dict[str, Any]]:
        """Returns a user's events once there are at least so many."""

        async def look() -> bool:
            return len(self.of(user_id)) >= number

        await until(look, f"{number} events of {user_id}, there are {len(self.of(user_id))}")
        return self.of(user_id)

    async def take(self, message: AbstractIncomingMessage) -> None:
        """One event."""
        self.events.append(json.loads(message.body))
        self.keys.append(message.routing_key or "")
        await message.ack()


@asynccontextmanager
async def subscribed(url: str, *patterns: str, **arguments: Any) -> AsyncGenerator[Subscriber]:
    """Subscribes, to everything where no pattern is given, with a queue of its own that is removed at the end."""
    subscriber = Subscriber()
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=500)
        queue = await channel.declare_queue(f"test.{uuid.uuid4()}", auto_delete=True, arguments=arguments or None)
        for pattern in patterns or ("#",):
            await queue.bind("credits.events", pattern)
        await queue.consume(subscriber.take)
        yield subscriber
