"""Real servers for the workers' tests, with none of our processes: each module starts the workers that it needs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from api.operators.dead.__main__ import main as dead_letters
from contracts.topology import GIVEN_UP_QUEUE
from ops.fakes.stripe.running import StandIn
from ops.fakes.stripe.running import running as stripe_running
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration import given
from tests.integration.api.operators import Said
from tests.integration.workers.dead import Mana, settings_of
from tests.integration.workers.events import Subscriber, subscribed
from tests.integration.workers.running import PARTITIONS, Running, running

_RULE = """
CREATE FUNCTION credits.test_rejects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.description = 'poison' THEN
        RAISE EXCEPTION 'a rule that the program does not know' USING ERRCODE = '23514';
    ELSIF new.description = 'again' AND nextval('credits.test_tries') < 3 THEN
        RAISE EXCEPTION 'not now' USING ERRCODE = '40001';
    END IF;
    RETURN new;
END $$;
CREATE SEQUENCE credits.test_tries;
GRANT USAGE ON SEQUENCE credits.test_tries TO mana_worker;
CREATE TRIGGER test_rejects BEFORE INSERT ON credits.transactions
    FOR EACH ROW EXECUTE FUNCTION credits.test_rejects();
"""
_NO_RULE = """
DROP TRIGGER test_rejects ON credits.transactions;
DROP FUNCTION credits.test_rejects();
DROP SEQUENCE credits.test_tries;
"""


@contextmanager
def passable(name: str) -> Generator[Path]:
    """A folder that the servers' own users may pass through, as pytest's are not: each session shuts them again."""
    with tempfile.TemporaryDirectory(prefix=f"mana-{name}-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture(scope="package")
def wal() -> Generator[Path]:
    """Where PostgreSQL archives its WAL."""
    with passable("archive") as folder:
        yield folder / "wal"


@pytest.fixture(scope="package")
def servers(pytestconfig: pytest.Config, wal: Path) -> Generator[Instance]:
    """PostgreSQL, RabbitMQ and Redis with schema and topology."""
    archive = {"BACKUP_WAL_DIR": str(wal)}
    with given.servers(pytestconfig, "workers-tests", PARTITIONS, environment=archive) as instance:
        yield instance


@pytest.fixture(scope="package")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where workers write."""
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
async def worker(servers: Instance, logs: Path) -> AsyncGenerator[Running]:
    """One ready worker for a module that does not harm it."""
    async with running(servers, logs) as process:
        await process.ready()
        yield process


@pytest.fixture(scope="package")
async def stand_in(logs: Path) -> AsyncGenerator[StandIn]:
    """What stands in for Stripe."""
    async with stripe_running(logs / "stripe.log") as process:
        yield process


@pytest.fixture(scope="module")
async def client(servers: Instance) -> AsyncGenerator[Client]:
    """A client with the administrator's login."""
    async with Client.connected(servers.addresses.amqp) as connected:
        yield connected


@pytest.fixture(scope="module")
async def events(servers: Instance) -> AsyncGenerator[Subscriber]:
    """Everything that is published from here on."""
    async with subscribed(servers.addresses.amqp) as subscriber:
        yield subscriber


@pytest.fixture
async def owner(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The database as its owner sees it: everything."""
    connection = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    yield connection
    await connection.close()


@pytest.fixture
async def rule(owner: asyncpg.Connection) -> AsyncGenerator[None]:
    """A rule that only the database knows: it never takes a transaction described as ``poison``."""
    await owner.execute(_RULE)
    yield
    await owner.execute(_NO_RULE)


@pytest.fixture
async def emptied(client: Client) -> AsyncGenerator[None]:
    """No letters before, and none left behind."""
    queues = [await client.dead(), await client.channel.get_queue(GIVEN_UP_QUEUE)]
    for queue in queues:
        await queue.purge()
    yield
    for queue in queues:
        await queue.purge()


@pytest.fixture
def mana(servers: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mana:
    """What ``./mana dead`` says, as the program that it hands over to, in this process."""
    for name, value in settings_of(servers).items():
        monkeypatch.setenv(name, value)

    async def say(*words: str) -> Said:
        status = await asyncio.to_thread(dead_letters, words)
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return say
