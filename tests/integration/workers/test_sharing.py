"""Several workers: even shares, take-over from the dead and the paused, order kept, nothing lost or doubled."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import asyncpg

from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.paused import paused
from tests.integration.workers.events import Subscriber
from tests.integration.workers.flood import all_charged, send_uses
from tests.integration.workers.running import running, until

_USERS = 6
_USES = 100


async def _open_users(client: Client) -> list[str]:
    return list(await asyncio.gather(*(client.open_user() for _ in range(_USERS))))


async def _epochs(owner: asyncpg.Connection) -> int:
    """All epochs together: each new owner of a partition raises it by one."""
    rows = await owner.fetch("SELECT epoch FROM credits.partitions")
    return sum(row["epoch"] for row in rows)


async def test_a_worker_joins_under_load_and_is_killed(
    servers: Instance, logs: Path, client: Client, owner: asyncpg.Connection, events: Subscriber
) -> None:
    async with running(servers, logs) as first:
        await first.owns(4)
        users = await _open_users(client)
        await asyncio.gather(*(send_uses(client, user, 20) for user in users))
        async with running(servers, logs) as second:
            flood = [asyncio.create_task(send_uses(client, user, _USES - 20, first=20)) for user in users]
            await second.owns(2)
            await first.owns(2)
            second.signal(signal.SIGKILL)
            await second.child.wait()
            await first.owns(4)
            await asyncio.gather(*flood)
        for user in users:
            await all_charged(owner, user, _USES)
            told = await events.has(user, _USES + 1)
            assert [event["sequence"] for event in told] == list(range(1, _USES + 2))


async def test_a_paused_owner_that_comes_back_does_no_harm(
    servers: Instance, logs: Path, client: Client, owner: asyncpg.Connection, events: Subscriber
) -> None:
    async with running(servers, logs) as first, running(servers, logs) as second:
        await first.owns(2)
        await second.owns(2)
        users = await _open_users(client)
        flood = [asyncio.create_task(send_uses(client, user, _USES)) for user in users]
        with paused(second.child):
            await first.owns(4)
            await asyncio.gather(*flood)
        for user in users:
            await all_charged(owner, user, _USES)
            told = await events.has(user, _USES + 1)
            assert [event["sequence"] for event in told] == list(range(1, _USES + 2))
        await first.owns(2)
        await second.owns(2)
        await first.ready()
        await second.ready()


async def test_a_drain_under_load_leaves_nothing_behind(
    servers: Instance, logs: Path, client: Client, owner: asyncpg.Connection, events: Subscriber
) -> None:
    async with running(servers, logs) as first:
        await first.owns(4)
        users = await _open_users(client)
        flood = [asyncio.create_task(send_uses(client, user, _USES)) for user in users]
        await asyncio.sleep(0.1)
        first.signal(signal.SIGTERM)
        first.signal(signal.SIGTERM)
        assert await asyncio.wait_for(first.child.wait(), 20) == 0
        assert await owner.fetchval("SELECT count(*) FROM credits.workers WHERE name = $1", first.name) == 0
        await asyncio.gather(*flood)
    async with running(servers, logs) as second:
        await second.owns(4)
        for user in users:
            await all_charged(owner, user, _USES)
            assert len(await events.has(user, _USES + 1)) == _USES + 1


async def test_a_lost_database_connection_is_a_lost_lease(
    servers: Instance, logs: Path, client: Client, owner: asyncpg.Connection, events: Subscriber
) -> None:
    async with running(servers, logs) as worker:
        await worker.owns(4)
        users = await _open_users(client)
        epochs = await _epochs(owner)
        flood = [asyncio.create_task(send_uses(client, user, _USES)) for user in users]
        colleague = await asyncpg.connect(servers.addresses.database_as("mana_worker"))
        for _ in range(3):
            await asyncio.sleep(0.1)
            await colleague.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'mana_worker' AND pid <> pg_backend_pid()"
            )
        await colleague.close()
        await asyncio.gather(*flood)
        for user in users:
            await all_charged(owner, user, _USES)
            told = await events.has(user, _USES + 1)
            assert [event["sequence"] for event in told] == list(range(1, _USES + 2))

        async def leased_anew() -> bool:
            return await _epochs(owner) >= epochs + 4

        await until(leased_anew, "all leases are new ones")
        await worker.ready()


async def test_marks_are_written_when_idle(
    servers: Instance, logs: Path, client: Client, owner: asyncpg.Connection
) -> None:
    async with running(servers, logs) as worker:
        await worker.owns(4)
        await client.use(await client.open_user())

        async def level() -> bool:
            return True is await owner.fetchval("SELECT bool_and(confirmed = position) FROM credits.partitions")

        await until(level, "all marks are level")
