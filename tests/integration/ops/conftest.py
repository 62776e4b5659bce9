"""docker-compose.yml's servers, started here from Debian's packages with the files that its containers get."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops import packages
from ops.program import Program
from ops.settings import Settings
from tests.integration.ops.certificates import Authority, authority
from tests.integration.ops.composing import Composed
from tests.integration.ops.encrypting import encrypted_broker, encrypted_database

PARTITIONS = 32


@pytest.fixture(scope="package")
def composed() -> Generator[Composed]:
    with _composed() as composed:
        yield composed


@pytest.fixture
def apart() -> Generator[Composed]:
    """As `composed`, for one test alone: nothing was ever started there."""
    with _composed() as composed:
        yield composed


@contextmanager
def _composed() -> Generator[Composed]:
    packages.ensure(Settings.model_construct(), watch=lambda _line: None)
    packages.require("pgbouncer", "pgbouncer", watch=lambda _line: None)
    with tempfile.TemporaryDirectory(prefix="mana-composed-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # the servers' own users must pass through it
        yield Composed(Path(folder), PARTITIONS)


@pytest.fixture(scope="package")
def trusted(composed: Composed) -> Authority:
    """Whose certificate the servers have."""
    return authority(composed.folder / "trusted")


@pytest.fixture(scope="package")
def stranger(composed: Composed) -> Authority:
    """An authority that made none of the servers' certificates."""
    return authority(composed.folder / "stranger")


@pytest.fixture(scope="package")
async def broker(composed: Composed, trusted: Authority) -> AsyncGenerator[Program]:
    """RabbitMQ, which speaks TLS too."""
    async with encrypted_broker(composed, trusted) as node:
        yield node


@pytest.fixture(scope="package")
async def database(composed: Composed, trusted: Authority) -> AsyncGenerator[Composed]:
    """PostgreSQL, which speaks TLS too."""
    async with encrypted_database(composed, trusted):
        yield composed
