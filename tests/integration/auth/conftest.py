"""A PostgreSQL with the schema, for what the database itself promises of sign-in; nothing else runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from tests.integration.ledger.server import Database, Server, running_server

# Sessions first, which have no cascade of their own, and whose ends are remembered.
_EMPTY = """
DELETE FROM auth.sessions; DELETE FROM auth.users; DELETE FROM auth.revocations; DELETE FROM auth.signing_keys;
DELETE FROM auth.mails; DELETE FROM auth.outbox; DELETE FROM auth.security_events; DELETE FROM auth.erasures;
DELETE FROM auth.imports; DELETE FROM auth.outbox_events; DELETE FROM credits.suspensions;
DELETE FROM credits.transactions; DELETE FROM credits.keys;
"""


@pytest.fixture(scope="package")
async def server(pytestconfig: pytest.Config) -> AsyncGenerator[Server]:
    """One server for all of this folder's tests."""
    async with running_server(pytestconfig) as running:
        yield running


@pytest.fixture(scope="module")
async def database(server: Server) -> AsyncGenerator[Database]:
    """A migrated database; each test finds it empty."""
    async with server.database() as fresh:
        yield fresh


@pytest.fixture
async def owner(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    """Sees and may everything; takes everything away after the test."""
    connection = await asyncpg.connect(database.url("mana_owner"))
    yield connection
    await connection.execute(_EMPTY)
    await connection.close()


@pytest.fixture
async def front(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    """The front's login; it has no user until a test names one (``rows.acting``)."""
    connection = await asyncpg.connect(database.url("mana_api"))
    yield connection
    await connection.close()


@pytest.fixture
async def other_front(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    """Another connection of the front's, for what two requests do at once."""
    connection = await asyncpg.connect(database.url("mana_api"))
    yield connection
    await connection.close()


@pytest.fixture
async def relay(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    """The relay's login."""
    connection = await asyncpg.connect(database.url("mana_relay"))
    yield connection
    await connection.close()


@pytest.fixture
async def mailer(database: Database) -> AsyncGenerator[asyncpg.Connection]:
    """The mail worker's login."""
    connection = await asyncpg.connect(database.url("mana_mail"))
    yield connection
    await connection.close()
