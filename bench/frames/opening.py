"""From an address to a connection that is logged in."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from bench.frames.address import Address
from bench.frames.errors import BrokerError
from bench.frames.handshake import log_in
from bench.frames.protocol import Line

_PATIENCE: Final = 10.0
"""Seconds for the connection and all that is said before it is of use."""


async def open_line(url: str, line: Line, heartbeat: int, begin: Callable[[], Awaitable[None]]) -> None:
    """Connects the line, logs in, and ``begin``s; ``heartbeat`` in seconds.

    Raises ``BrokerError`` where there is no broker, or it refuses the login or what is begun.
    """
    address = Address.of(url)
    where = f"{address.host}:{address.port}"
    context = ssl.create_default_context() if address.tls else None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            await loop.create_connection(lambda: line, address.host, address.port, ssl=context)
            agreed = await log_in(line, address, heartbeat)
            await begin()
    except TimeoutError as error:
        line.abort()
        raise BrokerError(f"the broker at {where} did not answer within {_PATIENCE:.0f} s") from error
    except OSError as error:
        raise BrokerError(f"the broker at {where} cannot be reached: {error}") from error
    line.open_for_business(agreed)
