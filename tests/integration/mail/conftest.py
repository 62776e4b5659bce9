"""Real servers with schema and topology; a mail server; the relay and the mail worker, which bring it mails."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import asyncpg
import pytest

from ops.instance import Instance
from tests.integration import given
from tests.integration.mail.box import Mailbox, mailbox
from tests.integration.mail.server import SmtpServer


@pytest.fixture(scope="package")
def servers(pytestconfig: pytest.Config) -> Generator[Instance]:
    """None of our processes."""
    with given.servers(pytestconfig, "mail-tests", 4) as instance:
        yield instance


@pytest.fixture(scope="package")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where processes write."""
    return tmp_path_factory.mktemp("mail-logs")


@pytest.fixture(scope="module")
async def running_box(servers: Instance, logs: Path) -> AsyncGenerator[Mailbox]:
    """The mailbox of a module."""
    async with mailbox(servers, logs) as box:
        yield box


@pytest.fixture
def box(running_box: Mailbox) -> Generator[Mailbox]:
    """The mailbox, whose server takes everything again afterwards."""
    yield running_box
    usual = SmtpServer()
    running_box.server.on_recipient, running_box.server.on_data = usual.on_recipient, usual.on_data


@pytest.fixture
async def owner(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """The database as its owner sees it: everything."""
    connection = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    yield connection
    await connection.close()
