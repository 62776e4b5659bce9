"""A PostgreSQL for the ledger's tests, a fresh database for each, and an owner of all partitions."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from tests.integration.ledger import clock
from tests.integration.ledger.owner import Owner
from tests.integration.ledger.server import Database, Server, running_server


@pytest.fixture(scope="package")
async def server(pytestconfig: pytest.Config) -> AsyncGenerator[Server]:
    """One server for all of this folder's tests."""
    async with running_server(pytestconfig) as running:
        yield running


@pytest.fixture
async def database(server: Server) -> AsyncGenerator[Database]:
    """An empty ledger."""
    async with server.database() as fresh:
        yield fresh


@pytest.fixture(scope="module")
async def shared(server: Server) -> AsyncGenerator[Database]:
    """A ledger that a module's tests share: they leave it as they found it."""
    async with server.database() as fresh:
        yield fresh


@pytest.fixture
async def owner(database: Database) -> AsyncGenerator[Owner]:
    """A worker's session that holds every lease, and executes."""
    async with Owner.of(database) as registered:
        yield registered


@pytest.fixture
async def by_hand(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    """A superuser's connection, for looking and for breaking things."""
    connection = await asyncpg.connect(database.admin)
    yield connection
    await connection.close()


@pytest.fixture
async def timeless(database: Database, by_hand: asyncpg.Connection) -> AsyncGenerator[Owner]:
    """An owner whose clock the test sets (``clock.set_clock``)."""
    await clock.install(by_hand)
    async with Owner.of(database, settings=clock.SETTINGS) as registered:
        yield registered
