"""Real servers with the keeper of logins, a ledger worker and a front: all that an app meets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import asyncpg
import httpx
import pytest

from ops.instance import Instance
from ops.programs import ProcessSettings
from tests.integration import given
from tests.integration.api.administrators import administrator
from tests.integration.api.process import PARTITIONS, Process, front, until_ready
from tests.integration.api.users import SignedIn
from tests.integration.apps.broker import Broker, managed
from tests.integration.workers.running import Running, running


@pytest.fixture(scope="package")
def servers(pytestconfig: pytest.Config) -> Generator[Instance]:
    """PostgreSQL, RabbitMQ and Redis with schema and topology."""
    with given.servers(pytestconfig, "apps-tests", PARTITIONS) as instance:
        yield instance


@pytest.fixture(scope="package")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where processes write."""
    return tmp_path_factory.mktemp("apps")


@pytest.fixture(scope="package")
async def keeper(servers: Instance, logs: Path) -> AsyncGenerator[Running]:
    """The process that makes logins."""
    own = ProcessSettings(servers.addresses, PARTITIONS).apps()
    async with running(servers, logs, "workers.apps", own) as process:
        await process.ready()
        yield process


@pytest.fixture(scope="package")
async def worker(servers: Instance, logs: Path) -> AsyncGenerator[Running]:
    """The ledger; who floods is paused shortly."""
    async with running(servers, logs, environment={"APP_FLOOD_PAUSE": "1s"}) as process:
        await process.ready()
        yield process


@pytest.fixture(scope="package")
async def api(servers: Instance, logs: Path) -> AsyncGenerator[Process]:
    """The front."""
    async with front(servers, logs) as process:
        await until_ready(process)
        yield process


@pytest.fixture(scope="package")
async def http(api: Process) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the front."""
    async with httpx.AsyncClient(base_url=api.url, timeout=40) as client:
        yield client


@pytest.fixture
async def owner(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The database as its owner sees it: everything."""
    connection = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    yield connection
    await connection.close()


@pytest.fixture(scope="package")
async def admin(http: httpx.AsyncClient, servers: Instance, worker: Running) -> SignedIn:
    """An administrator with a session."""
    assert worker.child.returncode is None
    connection = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    try:
        return await administrator(http, connection)
    finally:
        await connection.close()


@pytest.fixture(scope="package")
async def broker(servers: Instance) -> AsyncGenerator[Broker]:
    """The broker as its administrator sees it, and how apps come to it."""
    async with managed(servers) as there:
        yield there
