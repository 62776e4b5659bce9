"""A PostgreSQL for the migrations' tests, and for each an empty database that belongs to Mana's owner."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from tests.integration.ledger.server import Database, Server, running_server


@pytest.fixture(scope="package")
async def server(pytestconfig: pytest.Config) -> AsyncGenerator[Server]:
    """One server for all of this folder's tests."""
    async with running_server(pytestconfig) as running:
        yield running


@pytest.fixture
async def empty(server: Server) -> AsyncGenerator[Database]:
    """A database without any schema of ours."""
    async with server.database(template="template0") as fresh:
        yield fresh


@pytest.fixture
async def by_hand(empty: Database) -> AsyncGenerator[asyncpg.Connection]:
    """A superuser's connection to it."""
    connection = await asyncpg.connect(empty.admin)
    yield connection
    await connection.close()
