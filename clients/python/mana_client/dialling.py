"""Reaching the broker by a name that stands for several nodes of a cluster."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import Any, Final

from aiormq.connection import TransportFactory
from aiormq.exceptions import AMQPConnectionError
from yarl import URL

ADDRESS_SECONDS: Final = 2.0
"""For each address, where there are several: a machine that is gone refuses nothing, it is silent."""


async def dialled(host: str, port: int) -> socket.socket:
    """A connection to one of the host's addresses, tried in random order, so that not all go to the same one.

    Raises ``OSError`` where none is reached.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in random.sample(found, len(found)):
        one = socket.socket(family, kind, protocol)
        one.setblocking(False)
        try:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(ADDRESS_SECONDS if len(found) > 1 else None):
                await loop.sock_connect(one, address)
        except OSError as error:
            one.close()
            failure = error
        except BaseException:
            one.close()
            raise
        else:
            return one
    raise failure


class AnyNode(TransportFactory):
    """How the library reaches the broker: not the first node that the resolver names, dead or alive, but any."""

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """As the library asks for it. Raises ``AMQPConnectionError``."""
        host, port = url.host or "", url.port or 0
        context = await kwargs["ssl_context_provider"].get_context() if url.scheme == "amqps" else None
        try:
            reached = await dialled(host, port)
            return await asyncio.open_connection(
                sock=reached, ssl=context, server_hostname=None if context is None else host
            )
        except OSError as error:
            raise AMQPConnectionError(*error.args) from error
