"""How the library reaches the broker: any of the nodes that its name stands for."""

from __future__ import annotations

import asyncio
from typing import Any

from aiormq.connection import TransportFactory
from aiormq.exceptions import AMQPConnectionError
from yarl import URL

from contracts.dialling import dialled


class AnyNode(TransportFactory):
    """Not the first that the resolver names, dead or alive, as the library's own does."""

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
