"""Servers that may be broken, what breaks them, and a client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import asyncpg
import pytest

from ops.instance import Instance
from tests.e2e.client import Client
from tests.faults.servers import private_servers
from tests.faults.tools.broker import Broker
from tests.faults.tools.postgres import Database
from tests.faults.tools.workers import Workers
from tests.integration.workers.running import PARTITIONS


@pytest.fixture(scope="package")
def servers() -> Generator[Instance]:
    """PostgreSQL, RabbitMQ and Redis, marked as a test's."""
    with private_servers(partitions=PARTITIONS) as instance:
        yield instance


@pytest.fixture(scope="package")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where processes write."""
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="package")
async def broker(servers: Instance) -> Broker:
    """Its RabbitMQ, and what may happen to it."""
    node = Broker(servers)
    await node.settle()
    return node


@pytest.fixture(scope="package")
def database(servers: Instance) -> Database:
    """Its PostgreSQL, and what may happen to it."""
    return Database(servers)


@pytest.fixture
async def workers(servers: Instance, tmp_path: Path) -> AsyncGenerator[Workers]:
    """Workers, none of them started."""
    async with Workers(servers, tmp_path) as some:
        yield some


@pytest.fixture
async def client(servers: Instance) -> AsyncGenerator[Client]:
    """A client with the administrator's login."""
    async with Client.connected(servers.addresses.amqp) as connected:
        yield connected


@pytest.fixture
async def owner(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The database as its owner sees it: everything."""
    connection = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    yield connection
    await connection.close()
