"""Servers that were just started, waited for until each answers in its own protocol.

A port that takes connections tells nothing of who is behind it: Docker's proxy takes them before the server listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from ops import probes, urls
from ops.program import Probe

_NAMES: Final = ("DATABASE_URL", "AMQP_URL", "RABBITMQ_MANAGEMENT_URL", "REDIS_URL")
_PAUSE_SECONDS: Final = 0.1
_AMQP_HEADER: Final = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME: Final = b"\x01"
_AMQP_PORT: Final = 5672


class NotThereError(Exception):
    """A sentence that names who did not answer."""


async def answering(given: Mapping[str, str], patience: float) -> None:
    """Returns when all of them answer: addresses by the names of ./mana's settings, administrators' logins in them.

    Raises NotThereError where one does not within ``patience`` seconds.
    """
    database, amqp, management, redis = (given[name] for name in _NAMES)
    overview = probes.http(f"{management}/api/overview", urls.login_of(amqp))
    asked = {
        f"PostgreSQL at {urls.where(database)}": probes.postgres(urls.with_database(database, "postgres")),
        f"RabbitMQ at {urls.where(amqp)}": lambda: _greets(*urls.address_of(amqp, _AMQP_PORT)),
        f"RabbitMQ's management API at {urls.where(management)}": overview,
        f"Redis at {urls.where(redis)}": probes.redis_server(redis),
    }
    came = await asyncio.gather(*(_came(probe, patience) for probe in asked.values()))
    if late := [name for name, there in zip(asked, came, strict=True) if not there]:
        raise NotThereError(f"No answer within {patience:g} s, or the login is refused: {', '.join(late)}.")


async def _came(probe: Probe, patience: float) -> bool:
    try:
        async with asyncio.timeout(patience):
            while not await probe():
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        return False
    return True


async def _greets(host: str, port: int) -> bool:
    """Whether a broker begins a conversation there."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(_AMQP_HEADER)
            return await reader.readexactly(1) == _METHOD_FRAME
        finally:
            writer.close()
    except (OSError, EOFError):
        return False
