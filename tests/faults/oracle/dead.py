"""The queue ``credits.dead``: what lies in it, read without taking it."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any, Final

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from msgspec import Struct

QUEUE: Final = "credits.dead"
_WITHIN_SECONDS: Final = 60.0


class DeadCopy(Struct, frozen=True):
    """A kept message. ``names``: by what it may be known: message id, correlation id, and its body's SHA-256."""

    names: frozenset[str]
    reason: str


def body_name(body: bytes) -> str:
    """The name of a message that has no other."""
    return sha256(body).hexdigest()


async def read_dead(amqp_url: str) -> list[DeadCopy]:
    """All that lies there now. Raises ``TimeoutError`` where the broker does not hand it out."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(QUEUE, passive=True)
        number = queue.declaration_result.message_count or 0
        copies: list[DeadCopy] = []
        whole = asyncio.Event()

        async def take(message: AbstractIncomingMessage) -> None:
            """Not acknowledged: it goes back with the channel."""
            copies.append(_copy(message))
            if len(copies) >= number:
                whole.set()

        if number:
            await queue.consume(take)
            await asyncio.wait_for(whole.wait(), _WITHIN_SECONDS)
    return copies


async def empty_dead(amqp_url: str) -> None:
    """Drops all that lies there: what came of an earlier run, and was judged with it."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await (await channel.get_queue(QUEUE, ensure=False)).purge()


def _copy(message: AbstractIncomingMessage) -> DeadCopy:
    headers = {name: _text(value) for name, value in message.headers.items()}
    names = {headers.get("message-id"), message.message_id, message.correlation_id, body_name(message.body)}
    return DeadCopy(frozenset(name for name in names if name), headers.get("reason", "dead-lettered by the broker"))


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
