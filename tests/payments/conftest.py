"""Servers of this package's own, since whoever tests here kills them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from ops.instance import Instance
from tests.faults.servers import private_servers
from tests.integration.workers.running import PARTITIONS
from tests.payments.stage import Stage, staged


@pytest.fixture(scope="package")
def servers() -> Generator[Instance]:
    """PostgreSQL, RabbitMQ and Redis, marked as a test's."""
    with private_servers(partitions=PARTITIONS, name="payments") as instance:
        yield instance


@pytest.fixture(scope="package")
async def stage(servers: Instance, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """All processes, healthy again after each test."""
    async with staged(servers, Path(tmp_path_factory.mktemp("payments"))) as everything:
        yield everything
