"""The servers themselves die and come back: nothing is lost or doubled, order is kept, nobody needs to help."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.events import subscribed
from tests.integration.workers.flood import all_charged, send_uses
from tests.integration.workers.running import running, until

pytestmark = pytest.mark.own_servers

_USES = 100


def _kill(servers: Instance, name: str, number: signal.Signals) -> None:
    (pid,) = (process.pid for process in servers.status.processes if process.name == name)
    assert pid is not None
    os.kill(pid, number)


async def _connects(url: str) -> bool:
    try:
        await (await asyncpg.connect(url)).close()
    except (OSError, asyncpg.PostgresError):
        return False
    return True


async def _epochs(url: str) -> int:
    """All epochs together: each new owner of a partition raises it by one."""
    owner = await asyncpg.connect(url)
    rows = await owner.fetch("SELECT epoch FROM credits.partitions")
    await owner.close()
    return sum(row["epoch"] for row in rows)


async def test_postgresql_is_killed_and_comes_back(servers: Instance, logs: Path, client: Client) -> None:
    url = servers.addresses.database_as("mana_owner")
    async with subscribed(servers.addresses.amqp) as events, running(servers, logs) as worker:
        await worker.owns(4)
        users = await asyncio.gather(*(client.open_user() for _ in range(12)))
        before = await _epochs(url)
        flood = [asyncio.create_task(send_uses(client, user, _USES)) for user in users]
        await asyncio.sleep(0.05)
        _kill(servers, "postgres", signal.SIGQUIT)  # an immediate shutdown: no checkpoint, recovery at the start
        await asyncio.gather(*flood)
        await until(lambda: _connects(url), "PostgreSQL is back")
        owner = await asyncpg.connect(url)
        for user in users:
            await all_charged(owner, user, _USES)
            told = await events.has(user, _USES + 1)
            assert [event["sequence"] for event in told] == list(range(1, _USES + 2))
        await owner.close()
        await worker.ready()

        async def leased_anew() -> bool:
            return await _epochs(url) >= before + 4

        await until(leased_anew, "all leases are new ones")
        assert await worker.meter("mana_commands_poisoned_total") == 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("workers", [1, 2])
async def test_rabbitmq_is_killed_and_comes_back(
    servers: Instance, logs: Path, owner: asyncpg.Connection, workers: int
) -> None:
    async with running(servers, logs) as first, running(servers, logs) as second:
        if workers == 1:
            second.signal(signal.SIGTERM)
            await second.child.wait()
        await first.owns(4 // workers)
        async with Client.connected(servers.addresses.amqp) as before:
            users = await asyncio.gather(*(before.open_user() for _ in range(4)))
            await asyncio.gather(*(send_uses(before, user, _USES) for user in users))
            _kill(servers, "rabbitmq", signal.SIGKILL)
        for user in users:  # confirmed, so it will be done
            await all_charged(owner, user, _USES, within=90)
        await first.ready(within=90)
        async with Client.connected(servers.addresses.amqp) as after:
            assert all([(await after.use(user))["ok"] for user in users])
        await first.owns(4 // workers)
