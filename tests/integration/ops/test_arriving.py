"""Servers behind ports that take connections before they do, as Docker's are: waited for until each answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from ops.program import Program
from tests import arriving
from tests.faults.tools.proxy import Proxy
from tests.integration.ops.composing import Composed
from tests.integration.running import served

NAMES = {
    "DATABASE_URL": "PostgreSQL",
    "AMQP_URL": "RabbitMQ",
    "RABBITMQ_MANAGEMENT_URL": "RabbitMQ's management API",
    "REDIS_URL": "Redis",
}
_PATIENCE = 20.0
_A_MOMENT = 6.0


@pytest.fixture
async def doors(broker: Program, database: Composed) -> AsyncGenerator[dict[str, Proxy]]:
    """What takes connections before each of the servers, by the setting that names it. Redis is not started."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(Proxy.before(url)) for name, url in database.administrators().items()
        }


def _given(composed: Composed, doors: dict[str, Proxy]) -> dict[str, str]:
    return {name: doors[name].url(url) for name, url in composed.administrators().items()}


async def test_one_that_says_nothing_at_first_and_one_that_hangs_up_are_waited_for(
    database: Composed, doors: dict[str, Proxy]
) -> None:
    """Redis is not there at all at first: behind its door connections end. The others' are silent."""
    silent = [door for name, door in doors.items() if name != "REDIS_URL"]
    for door in silent:
        door.freeze()
    waiting = asyncio.create_task(arriving.answering(_given(database, doors), _PATIENCE))
    async with asyncio.timeout(_PATIENCE), served(await database.redis()):
        for door in silent:
            while not door.accepted:
                await asyncio.sleep(0.01)
            assert not waiting.done()
            door.thaw()
        await waiting
    assert all(door.accepted for door in doors.values())


@pytest.mark.parametrize("late", [("DATABASE_URL", "REDIS_URL"), ("AMQP_URL", "RABBITMQ_MANAGEMENT_URL")])
async def test_who_does_not_come_is_named_and_nobody_else(
    late: tuple[str, ...], database: Composed, doors: dict[str, Proxy]
) -> None:
    for name in late:
        doors[name].freeze()
    async with served(await database.redis()):
        with pytest.raises(arriving.NotThereError) as told:
            await arriving.answering(_given(database, doors), _A_MOMENT)
    assert re.findall(r"(?:: |, )([\w' ]+) at 127", str(told.value)) == [NAMES[name] for name in late]
