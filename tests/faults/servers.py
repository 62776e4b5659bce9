"""Private servers that processes may be killed on."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from ops.instance import Instance, private
from tests.faults import marker


@contextmanager
def private_servers(*, partitions: int, name: str = "faults") -> Generator[Instance]:
    """PostgreSQL, RabbitMQ and Redis with schema, topology and a test database's mark; none of our processes.

    Not to be entered while an event loop runs in the same thread.
    """
    with private(
        workers=0, partitions=partitions, name=name, with_processes=False, database=marker.DATABASE
    ) as instance:
        asyncio.run(marker.mark(instance.addresses.database_as("mana_owner")))
        yield instance
