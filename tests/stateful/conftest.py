"""Two fronts on one set of servers, and the ledger's worker behind them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import asyncpg
import pytest

from ops.instance import Instance, private
from tests.integration.api.administrators import administrator
from tests.integration.api.process import PARTITIONS, another_front, worker
from tests.stateful.calls import Fronts
from tests.stateful.model import SESSIONS_MAX

_SETTINGS = {
    "JWT_ACCESS_TOKEN_EXPIRY": "24h",
    "REFRESH_GRACE_SECONDS": "60",
    "SESSIONS_MAX": str(SESSIONS_MAX),
}
"""What ends by itself takes as long as it can: it ends when the machine says so."""


@pytest.fixture(scope="package")
def servers() -> Generator[Instance]:
    """PostgreSQL, RabbitMQ and Redis, where nobody else makes users."""
    with private(workers=0, partitions=PARTITIONS, with_processes=False, name="stateful") as instance:
        yield instance


@pytest.fixture(scope="package")
async def fronts(servers: Instance, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Fronts]:
    """Both, an administrator, and the database as its owner sees it."""
    logs: Path = tmp_path_factory.mktemp("logs")
    owner = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    async with (
        worker(servers, logs),
        another_front(servers, logs, **_SETTINGS) as (_, first),
        another_front(servers, logs, **_SETTINGS) as (_, second),
    ):
        admin = await administrator(first, owner)
        yield Fronts((first, second), owner, admin.access_token)
    await owner.close()
