"""Everything that the servers keep, and all that passed through the broker, as files to be searched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
from aio_pika import connect
from aio_pika.abc import AbstractIncomingMessage
from redis.asyncio import Redis

from ops import urls
from ops.instance import Instance
from tests.faults.tools.broker import Broker

TRACE_EXCHANGE: Final = "amq.rabbitmq.trace"
"""Where RabbitMQ puts a copy of every message that is published or delivered, while it traces."""

_LAST: Final = "that was all"
_TABLES: Final = (
    "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'm')"
    " AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1"
)


@asynccontextmanager
async def traced(instance: Instance, file: Path) -> AsyncGenerator[None]:
    """Writes every message of the block, with its properties, whichever exchange it goes through."""
    broker = Broker(instance)
    vhost = urls.vhost_of(instance.addresses.amqp)
    async with await connect(instance.addresses.amqp) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(TRACE_EXCHANGE, "#")
        with file.open("wb") as kept:

            async def keep(message: AbstractIncomingMessage) -> None:
                line = f"{message.routing_key} {message.headers!r} "
                kept.write(line.encode() + message.body + b"\n")

            await queue.consume(keep, no_ack=True)
            await broker.control("trace_on", "-p", vhost)
            try:
                yield
            finally:
                await broker.control("trace_off", "-p", vhost)


@asynccontextmanager
async def monitored(instance: Instance, file: Path) -> AsyncGenerator[None]:
    """Writes every command that Redis gets during the block: most of what it keeps is gone in a second."""
    url = instance.addresses.redis
    async with (
        Redis.from_url(url, socket_timeout=None) as redis,
        Redis.from_url(url) as last,
        redis.monitor() as monitor,
    ):
        with file.open("w", encoding="utf-8") as kept:

            async def keep() -> None:
                async for command in monitor.listen():
                    kept.write(f"{command['command']}\n")
                    if command["command"].endswith(_LAST):
                        return

            keeping = asyncio.create_task(keep())
            try:
                yield
                await last.echo(_LAST)
                await asyncio.wait_for(keeping, 10)
            finally:
                keeping.cancel()


async def dump_database(instance: Instance, folder: Path) -> list[str]:
    """Every row of every table as text, a file for each table; the tables' names."""
    owner = await asyncpg.connect(instance.addresses.database_as("mana_owner"))
    try:
        names = [row[0] for row in await owner.fetch(_TABLES)]
        for name in names:
            rows = await owner.fetch(f"SELECT t::text FROM ONLY {name} AS t")
            (folder / name).write_text("\n".join(row[0] for row in rows), encoding="utf-8")
    finally:
        await owner.close()
    return names


async def dump_redis(instance: Instance, file: Path) -> int:
    """Every key with its value; how many there are."""
    async with Redis.from_url(instance.addresses.redis) as redis:
        keys = sorted([key async for key in redis.scan_iter()])
        kinds = {await redis.type(key) for key in keys}
        assert kinds <= {b"string"}, "something else than text is kept: it must be looked at too"
        values = await redis.mget(keys) if keys else []
    file.write_bytes(b"\n".join(key + b" " + (value or b"") for key, value in zip(keys, values, strict=True)))
    return len(keys)
