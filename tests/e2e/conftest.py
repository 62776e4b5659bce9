"""The instance that all end-to-end tests share: servers, one worker, the front, a Prometheus; once per test session.

Tests must leave it as they found it: users of their own (``opened_user``), no settings changed, nothing stopped. A
test that breaks things makes its own instance with ``ops.instance.private``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

import pytest

from ops.instance import Instance, private
from tests.e2e.client import Client

PARTITIONS = 8


@pytest.fixture(scope="session")
def instance() -> Generator[Instance]:
    """A running instance of one worker; ``instance.env`` holds its addresses, as ``.mana/env`` does."""
    looked = {"MONITORING_INTERVAL": "5s"}
    with private(workers=1, partitions=PARTITIONS, name="e2e", monitored=True, environment=looked) as running:
        yield running


@pytest.fixture(scope="module")
async def client(instance: Instance) -> AsyncGenerator[Client]:
    """A connection with the administrator's login. None outlives a module: where tests are synchronous, none beats."""
    async with Client.connected(instance.env["MANA_AMQP_URL"]) as connected:
        yield connected


@pytest.fixture
async def opened_user(client: Client) -> str:
    """A fresh user's id, whose account holds the signup bonus."""
    return await client.open_user()
