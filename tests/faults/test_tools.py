"""The tools' faults really happen, on real servers and processes; and one that cannot happen is said."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path

import aio_pika
import asyncpg
import httpx
import pytest
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import DeliveryError

from ops.instance import Instance
from ops.kernel import children
from tests.faults.tools.broker import Broker, Depth
from tests.faults.tools.errors import ToolError
from tests.faults.tools.front import Front
from tests.faults.tools.postgres import Database
from tests.faults.tools.proxy import Proxy
from tests.faults.tools.workers import Share, Workers

pytestmark = pytest.mark.slow  # the scenarios use them for each commit

_WITHIN = 20.0
_LONG_WORK = "SELECT count(*) FROM generate_series(1, 60000) AS a, generate_series(1, 60000) AS b"
"""Some minutes of a processor, and no memory."""
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver says of a session that is gone, or that was told so a moment ago."""


@pytest.fixture
async def connection(servers: Instance) -> AsyncGenerator[AbstractConnection]:
    """Somebody who speaks to the broker."""
    async with await aio_pika.connect(servers.addresses.amqp) as one:
        yield one


@pytest.fixture
async def queue(broker: Broker, connection: AbstractConnection) -> AsyncGenerator[str]:
    """A queue with three messages."""
    channel = await connection.channel()
    name = f"test.{uuid.uuid4()}"
    await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
    for _ in range(3):
        await channel.default_exchange.publish(aio_pika.Message(b"x"), name)
    yield name
    if name in await broker.depths():
        await broker.delete_queue(name)


async def _lost(connection: AbstractConnection) -> None:
    async with asyncio.timeout(_WITHIN):
        while connection.connected.is_set():
            await asyncio.sleep(0.01)


class TestBroker:
    """RabbitMQ's faults."""

    async def test_a_killed_node_is_another_process_soon(self, broker: Broker, connection: AbstractConnection) -> None:
        before, restarts = broker.server.process, broker.server.restarts
        await broker.kill()
        await broker.wait_up()
        assert broker.server.process != before
        assert broker.server.restarts == restarts + 1
        await _lost(connection)

    async def test_a_stopped_application_refuses_logins(self, broker: Broker, servers: Instance) -> None:
        before = broker.server.process
        async with broker.stopped():
            with pytest.raises(OSError):
                await aio_pika.connect(servers.addresses.amqp)
        await (await aio_pika.connect(servers.addresses.amqp)).close()
        assert broker.server.process == before

    async def test_a_question_that_is_given_up_leaves_nobody_behind(self, broker: Broker) -> None:
        before = children()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await broker.evaluate("timer:sleep(20_000).")
        assert children() <= before

    async def test_all_connections_are_closed(self, broker: Broker, connection: AbstractConnection) -> None:
        assert await broker.close_all_connections() >= 1
        await _lost(connection)
        with pytest.raises(ToolError, match="no connection"):
            await broker.close_all_connections()

    @pytest.mark.parametrize("resource", ["disk", "memory"])
    async def test_an_alarm_blocks_publishers(
        self, broker: Broker, connection: AbstractConnection, queue: str, resource: str
    ) -> None:
        channel = await connection.channel()
        alarm = broker.disk_alarm() if resource == "disk" else broker.memory_alarm()
        async with alarm:
            publishing = asyncio.create_task(channel.default_exchange.publish(aio_pika.Message(b"late"), queue))
            done, _ = await asyncio.wait({publishing}, timeout=0.5)
            assert not done
        async with asyncio.timeout(_WITHIN):
            await publishing

    async def test_a_policy_binds_queues_until_it_is_removed(
        self, broker: Broker, connection: AbstractConnection, queue: str
    ) -> None:
        async def accepted() -> bool:
            async with connection.channel() as channel:
                try:
                    await channel.default_exchange.publish(aio_pika.Message(b"one more"), queue)
                except DeliveryError:
                    return False
                return True

        async def becomes(expected: bool) -> None:
            async with asyncio.timeout(_WITHIN):
                while await accepted() != expected:
                    await asyncio.sleep(0.02)

        await broker.policy("narrow", "^test\\.", {"max-length": 1, "overflow": "reject-publish"})
        await becomes(False)
        await broker.remove_policy("narrow")
        await becomes(True)
        with pytest.raises(ToolError):
            await broker.remove_policy("narrow")

    async def test_depths_tell_what_waits_and_what_is_given_out(
        self, broker: Broker, connection: AbstractConnection, queue: str
    ) -> None:
        channel = await connection.channel()
        assert (await broker.depths())[queue] == Depth(ready=3, unacked=0)
        message = await (await channel.get_queue(queue)).get()
        assert (await broker.depths())[queue] == Depth(ready=2, unacked=1)
        assert message is not None
        await message.ack()
        await channel.close()  # behind it all that was sent before has been done
        assert (await broker.depths())[queue] == Depth(ready=2, unacked=0)

    async def test_a_queue_is_purged_and_deleted(self, broker: Broker, queue: str) -> None:
        await broker.purge_queue(queue)
        assert (await broker.depths())[queue] == Depth(0, 0)
        await broker.delete_queue(queue)
        assert queue not in await broker.depths()
        with pytest.raises(ToolError):
            await broker.delete_queue(queue)


async def _runs(database: Database, statement: str) -> None:
    async with asyncio.timeout(_WITHIN):
        while not await database.fetch(
            "SELECT FROM pg_stat_activity WHERE query = $1 AND state = 'active' AND wait_event IS NULL", statement
        ):
            await asyncio.sleep(0.02)


class TestDatabase:
    """PostgreSQL's faults."""

    @pytest.mark.parametrize("how", ["kill", "restart_immediate"])
    async def test_it_dies_and_is_another_process_soon(self, database: Database, servers: Instance, how: str) -> None:
        session = await asyncpg.connect(servers.addresses.database_as("mana_readonly"))
        before = database.server.process
        await getattr(database, how)()
        await database.wait_up()
        assert database.server.process != before
        with pytest.raises(_LOST):
            await session.fetch("SELECT 1")

    async def test_a_session_that_outlives_its_server_holds_nobody_up(
        self, database: Database, servers: Instance
    ) -> None:
        """It works on, and does not look whether its server lives: as in a report over the whole ledger."""
        session = await asyncpg.connect(servers.addresses.database_as("mana_readonly"))
        working = asyncio.create_task(session.fetch(_LONG_WORK))
        await _runs(database, _LONG_WORK)
        restarts = database.server.restarts
        await database.kill()
        await database.wait_up()
        assert database.server.restarts == restarts + 1, "it came up at its first attempt"
        with pytest.raises(_LOST):
            await working

    async def test_sessions_are_ended_by_their_names(self, database: Database, servers: Instance) -> None:
        url = servers.addresses.database_as("mana_readonly")
        victim = await asyncpg.connect(url, server_settings={"application_name": "victim 1"})
        bystander = await asyncpg.connect(url, server_settings={"application_name": "bystander"})
        assert await database.terminate_backends("victim%") == 1
        with pytest.raises(_LOST):
            await victim.fetch("SELECT 1")
        assert await bystander.fetchval("SELECT 1") == 1
        await bystander.close()
        with pytest.raises(ToolError):
            await database.terminate_backends("victim%")

    async def test_it_is_full(self, database: Database, servers: Instance) -> None:
        url = servers.addresses.database_as("mana_worker")
        async with database.full() as hoard:
            assert hoard.taken > 100
            with pytest.raises(asyncpg.TooManyConnectionsError):
                await asyncpg.connect(url)
            assert await database.fetch("SELECT 1")
        await (await asyncpg.connect(url)).close()

    async def test_a_locked_table_makes_others_wait(self, database: Database, servers: Instance) -> None:
        reader = await asyncpg.connect(servers.addresses.database_as("mana_readonly"))
        async with database.locked("credits.balances"):
            reading = asyncio.create_task(reader.fetch("SELECT FROM credits.balances"))
            done, _ = await asyncio.wait({reading}, timeout=0.5)
            assert not done
        async with asyncio.timeout(_WITHIN):
            await reading
        await reader.close()


class TestWorkers:
    """What befalls workers."""

    async def test_a_killed_one_comes_back(self, workers: Workers) -> None:
        first, second = await workers.start(2)
        await workers.even()
        before = second.pid
        await second.kill()
        await workers.even()
        assert second.pid != before
        assert (workers.restarts, first.restarts) == (1, 0)
        half = Share(workers.partitions // 2, workers.partitions // 2)
        assert await workers.shares() == {first.name: half, second.name: half}

    async def test_a_paused_one_stands_still_until_it_is_woken(self, workers: Workers) -> None:
        (worker,) = await workers.start()
        await worker.pause()
        assert worker.paused
        assert workers.present == []
        asking = asyncio.create_task(worker.health())
        done, _ = await asyncio.wait({asking}, timeout=0.5)
        assert not done
        await worker.wake()
        assert (await asking)["status"] == "ready"
        with pytest.raises(ToolError):
            await worker.wake()

    async def test_a_drained_one_stays_away(self, workers: Workers, database: Database) -> None:
        first, second = await workers.start(2)
        assert await second.drain() == 0
        await workers.even()
        assert workers.present == [first]
        with pytest.raises(ToolError):
            await second.kill()
        assert await first.restart() == 0
        await first.ready()
        assert first.restarts == 1

    async def test_who_is_not_kept_alive_has_one_life(self, workers: Workers) -> None:
        (worker,) = await workers.start(keep_alive=False)
        await worker.kill()
        await asyncio.sleep(1.0)  # twice the supervisor's pause
        with pytest.raises(ToolError):
            await worker.kill()

    async def test_it_is_measured(self, workers: Workers) -> None:
        (worker,) = await workers.start(environment={"LOG_LEVEL": "DEBUG"})
        assert 20_000_000 < worker.rss() < 1_000_000_000
        assert await worker.meter("mana_partitions_owned") >= 0
        with pytest.raises(ToolError):
            await worker.meter("mana_no_such_meter")
        assert worker.lines()

    async def test_they_speak_through_proxies(self, workers: Workers) -> None:
        async with Proxy.before(workers.amqp_url) as amqp, Proxy.before(workers.database_url) as database:
            (worker,) = await workers.start(
                amqp_url=amqp.url(workers.amqp_url), database_url=database.url(workers.database_url)
            )
            await workers.even()
            async with database.down():
                async with asyncio.timeout(_WITHIN):
                    while "postgresql" not in (await worker.health())["problems"]:
                        await asyncio.sleep(0.05)
            async with amqp.down():
                async with asyncio.timeout(_WITHIN):
                    while "rabbitmq" not in (await worker.health())["problems"]:
                        await asyncio.sleep(0.05)
            await workers.even()
            assert worker.restarts == 0
            await workers.stop()


async def test_a_killed_front_comes_back(servers: Instance, tmp_path: Path) -> None:
    async with Front(servers, tmp_path) as front, httpx.AsyncClient() as http:
        (process,) = await front.start()
        relay = await front.start_relay()
        assert (await http.get(f"{front.url}/health/live")).status_code == 200
        for one in (process, relay):
            await one.kill()
            with pytest.raises(httpx.TransportError):
                await http.get(f"{one.url}/health/live")
            await one.ready()
            assert one.restarts == 1
        assert (await http.get(f"{front.url}/health/live")).status_code == 200
        assert await front.stop() == {"api-0": 0, "relay-0": 0}
