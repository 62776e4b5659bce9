"""Real servers for the front's tests, the front as a process, and a scripted ledger behind it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import asyncpg
import httpx
import pytest

from contracts.topology import WORKER_LOGIN
from ops.instance import Instance
from ops.layout import Pooling
from tests.faults.tools import telling
from tests.integration import given
from tests.integration.api.administrators import administrator
from tests.integration.api.authenticator import Enrolled, enrol
from tests.integration.api.ledger import ScriptedLedger, scripted
from tests.integration.api.process import PARTITIONS, Process, front, until_ready, worker
from tests.integration.api.users import BASE, SignedIn, sign_up


@pytest.fixture(scope="package")
def servers(pytestconfig: pytest.Config) -> Generator[Instance]:
    """PostgreSQL, RabbitMQ and Redis with schema and topology, and none of our processes."""
    pooling = Pooling() if pytestconfig.getoption("--pgbouncer") else None
    with given.servers(pytestconfig, "api-tests", PARTITIONS, pooling=pooling) as instance:
        yield instance


@pytest.fixture(scope="package")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where processes write."""
    return tmp_path_factory.mktemp("logs")


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


@pytest.fixture(scope="module")
async def ledger_process(servers: Instance) -> AsyncGenerator[ScriptedLedger]:
    """The scripted ledger of a module."""
    async with scripted(servers.addresses.amqp_as(WORKER_LOGIN)) as ledger:
        yield ledger


@pytest.fixture
def ledger(ledger_process: ScriptedLedger) -> Generator[ScriptedLedger]:
    """The scripted ledger, with its usual answers again afterwards."""
    usual = ScriptedLedger()
    yield ledger_process
    ledger_process.answer, ledger_process.opens, ledger_process.holds = usual.answer, usual.opens, usual.holds


@pytest.fixture
async def user(http: httpx.AsyncClient, ledger: ScriptedLedger) -> SignedIn:
    """A new user with a session."""
    assert ledger.opens
    return await sign_up(http)


@pytest.fixture(scope="module")
async def running_worker(servers: Instance, logs: Path) -> AsyncGenerator[Process]:
    """The ledger of a module whose tests want a real one."""
    async with worker(servers, logs) as process:
        yield process


@pytest.fixture
async def spender(http: httpx.AsyncClient, running_worker: Process) -> SignedIn:
    """A user whose account holds the signup bonus; a registration waits for that no longer than two seconds."""
    assert running_worker.child.returncode is None
    user = await sign_up(http)

    async def is_open() -> bool:
        return (await http.get(f"{BASE}/credits/balance", headers=user.headers)).status_code == 200

    await telling.until(is_open, "the account is open", 30)
    return user


@pytest.fixture
async def admin(http: httpx.AsyncClient, owner: asyncpg.Connection, running_worker: Process) -> SignedIn:
    """An administrator with a session."""
    return await administrator(http, owner)


@pytest.fixture
async def enrolled(http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection) -> Enrolled:
    """A user whose second factor is on."""
    assert ledger.opens
    return await enrol(http, owner)


@pytest.fixture
async def owner(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The database as its owner sees it: everything."""
    connection = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    yield connection
    await connection.close()


@pytest.fixture
async def as_api(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The database as the front sees it."""
    connection = await asyncpg.connect(servers.addresses.database_as("mana_api"))
    yield connection
    await connection.close()
