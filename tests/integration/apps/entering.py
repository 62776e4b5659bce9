"""How an app's login gets in at the broker, or does not: RabbitMQ's own words for what aio-pika keeps to itself."""

from __future__ import annotations

import asyncio
import re

import pika
from pika.exceptions import AMQPConnectionError

_SAID = re.compile(r"""\(\d+\) (['"])(.*)\1""")


async def enter(url: str) -> str | None:
    """Opens a connection and closes it; why that could not be, ``None`` where it could."""
    return await asyncio.to_thread(_enter, url)


def _enter(url: str) -> str | None:
    try:
        pika.BlockingConnection(pika.URLParameters(url)).close()
    except AMQPConnectionError as error:
        said = _SAID.search(str(error))
        return str(error) if said is None else said[2]
    return None
