"""How an app's login gets in at the broker, or does not: RabbitMQ's own words for what aio-pika keeps to itself."""

from __future__ import annotations

import asyncio
import re

import pika
from pika.exceptions import AMQPConnectionError

_SAID = re.compile(r"""\(\d+(?:\)|,) (['"])(.*)\1""")
"""As it ends a connection that is being opened, or one that is open."""


async def enter(url: str, *, channels: int = 0) -> str | None:
    """Opens a connection with so many channels, and closes it; why that could not be, ``None`` where it could."""
    return await asyncio.to_thread(_enter, url, channels)


def _enter(url: str, channels: int) -> str | None:
    try:
        connection = pika.BlockingConnection(pika.URLParameters(url))
        for _ in range(channels):
            connection.channel()
        connection.close()
    except AMQPConnectionError as error:
        said = _SAID.search(str(error))
        return str(error) if said is None else said[2]
    return None
