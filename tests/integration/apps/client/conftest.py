"""The apps' servers for the client's tests, which come before the apps' own: no worker is there yet, so that a module
says whether a real one or a scripted one stands behind them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from mana_client import Mana

from contracts.topology import WORKER_LOGIN
from ops.instance import Instance
from tests.e2e.client import Client
from tests.faults.tools.proxy import Proxy
from tests.integration.api.ledger import ScriptedLedger, scripted
from tests.integration.workers.running import Running, running


@pytest.fixture(scope="module")
async def worker(servers: Instance, logs: Path) -> AsyncGenerator[Running]:
    """The ledger of a module that wants a real one."""
    async with running(servers, logs) as process:
        await process.ready()
        yield process


@pytest.fixture
async def ledger(servers: Instance) -> AsyncGenerator[ScriptedLedger]:
    """A scripted ledger, of a module that has no worker."""
    async with scripted(servers.addresses.amqp_as(WORKER_LOGIN)) as scripted_one:
        yield scripted_one


@pytest.fixture
async def administrator(servers: Instance, worker: Running) -> AsyncGenerator[Client]:
    """Another client with the administrator's login, which knows nothing of ours."""
    assert worker.child.returncode is None
    async with Client.connected(servers.addresses.amqp) as connected:
        yield connected


@pytest.fixture
async def user(administrator: Client) -> str:
    """A fresh user with 150 credits."""
    return await administrator.open_user()


@pytest.fixture
async def mana(servers: Instance) -> AsyncGenerator[Mana]:
    """Our client, with the administrator's login."""
    async with Mana(servers.addresses.amqp, app="chat") as client:
        yield client


@pytest.fixture
async def proxy(servers: Instance) -> AsyncGenerator[Proxy]:
    """A network before the broker, to be disturbed."""
    async with Proxy.before(servers.addresses.amqp) as before_the_broker:
        yield before_the_broker
