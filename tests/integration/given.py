"""Servers for a package's tests: of its own, or those that ``--given`` names, which nobody else uses meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from ops import urls
from ops.instance import Instance, private
from ops.layout import Pooling
from ops.management import Management

OPTION = "--given"


@contextmanager
def servers(
    config: pytest.Config,
    name: str,
    partitions: int,
    *,
    environment: Mapping[str, str] | None = None,
    pooling: Pooling | None = None,
) -> Generator[Instance]:
    """PostgreSQL, RabbitMQ and Redis with schema and topology, and none of our processes. Given ones are emptied first;
    ``environment`` is for those of its own."""
    addresses = named(config)
    given = None if addresses is None else _emptied(addresses, name)
    with private(
        workers=0,
        partitions=partitions,
        with_processes=False,
        name=name,
        environment=None if given else environment,
        pooling=pooling,
        given=given,
    ) as instance:
        if given:
            instance.addresses.secrets.postgres_admin = urls.login_of(given["DATABASE_URL"])[1]
        yield instance


def named(config: pytest.Config) -> dict[str, str] | None:
    """The addresses of given servers, by the names of settings; administrators'."""
    file = config.getoption(OPTION)
    return json.loads(Path(file).read_text()) if file else None


def _emptied(given: Mapping[str, str], name: str) -> dict[str, str]:
    """With a database of that name. In a thread, since a fixture must leave the tests' own loop alone."""
    mine = {**given, "DATABASE_URL": urls.with_database(given["DATABASE_URL"], name)}
    with ThreadPoolExecutor(1) as beside:
        beside.submit(asyncio.run, _empty(mine, name)).result()
    return mine


async def _empty(given: Mapping[str, str], name: str) -> None:
    administrator = await asyncpg.connect(urls.with_database(given["DATABASE_URL"], "postgres"))
    try:
        await administrator.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await administrator.close()
    boss, vhost = urls.login_of(given["AMQP_URL"])[0], urls.vhost_of(given["AMQP_URL"])
    async with Management.of(given["RABBITMQ_MANAGEMENT_URL"], given["AMQP_URL"]) as broker:
        for user in await broker.get("users"):
            if user["name"] != boss:
                await broker.delete("users", user["name"])
        await broker.delete("vhosts", vhost)
        await broker.put("vhosts", vhost, body={})
        await broker.put("permissions", vhost, boss, body={"configure": ".*", "write": ".*", "read": ".*"})
    async with Redis.from_url(given["REDIS_URL"]) as redis:
        await redis.flushall()
