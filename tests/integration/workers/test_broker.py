"""What the broker may do to a worker: cut it off, lose a queue, refuse an event, be set up wrongly."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
import asyncpg
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError
from pamqp.common import FieldValue

from contracts.topology import command_queue
from ops.instance import Instance
from ops.management import Management
from tests.e2e.client import Client
from tests.integration.workers.events import Subscriber
from tests.integration.workers.flood import all_charged, send_uses
from tests.integration.workers.running import Running, running, until

_USES = 100


def _management(servers: Instance) -> Management:
    parts = urlsplit(servers.addresses.amqp)
    return Management(servers.addresses.management, unquote(parts.username or ""), unquote(parts.password or ""))


async def _cut_off(servers: Instance, name: str) -> None:
    """Closes the workers' connections of this name."""
    async with _management(servers) as broker:

        async def found() -> bool:
            connections = [
                connection["name"]
                for connection in await broker.get("connections")
                if str(connection.get("user_provided_name", "")).endswith(name)
            ]
            for connection in connections:
                await broker.delete("connections", connection)
            return bool(connections)

        await until(found, f"a connection {name} to be closed")  # the management's list is some seconds behind


@pytest.mark.parametrize("name", ["commands", "events"])
async def test_a_cut_off_connection_costs_nothing(
    servers: Instance, worker: Running, client: Client, owner: asyncpg.Connection, events: Subscriber, name: str
) -> None:
    user = await client.open_user()
    flood = asyncio.create_task(send_uses(client, user, _USES))
    await _cut_off(servers, name)
    await flood
    await all_charged(owner, user, _USES)
    told = await events.has(user, _USES + 1)
    assert [event["sequence"] for event in told] == list(range(1, _USES + 2))
    await worker.ready()


async def test_a_deleted_queue_comes_back_with_its_binding(servers: Instance, worker: Running, client: Client) -> None:
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        channel = await connection.channel()
        await channel.queue_delete(command_queue(0), if_unused=False, if_empty=False)
    await worker.owns(4)

    async def opens() -> bool:
        try:
            return bool(await client.open_user())
        except (AMQPError, TimeoutError):
            return False

    for _ in range(20):  # whichever partition they fall on
        await until(opens, "accounts open again")
    await worker.ready()


async def test_a_subscriber_that_refuses_holds_nobody_up(
    servers: Instance, worker: Running, client: Client, events: Subscriber
) -> None:
    user = await client.open_user()
    before = await worker.meter("mana_events_refused_total")
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        channel = await connection.channel()
        arguments: dict[str, FieldValue] = {"x-max-length": 1, "x-overflow": "reject-publish"}
        full = await channel.declare_queue("test.full", auto_delete=False, exclusive=True, arguments=arguments)
        await full.bind("credits.events", "#")
        for _ in range(30):
            assert (await client.use(user))["ok"] is True
        told = await events.has(user, 31)
        assert [event["sequence"] for event in told] == list(range(1, 32))
        assert await _logged(channel, user, 31) == list(range(1, 32))
    assert await worker.meter("mana_events_refused_total") > before
    await worker.ready()


@pytest.mark.usefixtures("rule")
async def test_a_full_dead_queue_is_told_and_nothing_is_lost(
    servers: Instance, worker: Running, client: Client
) -> None:
    """What is kept for a fault of ours waits for room, unanswered until then.

    Bounded in bytes, as a quorum queue is on this broker too; such a queue takes a few more before it refuses.
    """
    user = await client.open_user()
    body = {"pattern": "^credits.dead$", "apply-to": "queues", "priority": 9, "definition": {"max-length-bytes": 1}}
    asked: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def told() -> bool:
        key = f"full-{len(asked)}"
        asked[key] = asyncio.create_task(client.use(user, idempotencyKey=key, description="poison"))
        await asyncio.wait(asked.values(), timeout=0.2)
        return "credits.dead" in (await worker.health()).get("problems", {})

    async with _management(servers) as broker:
        await broker.put("policies", "/", "test-full", body=body)
        try:
            await until(told, "the full queue is told", worker.log)
            assert await worker.meter("mana_kept_refused") >= 1
            assert not all(answer.done() for answer in asked.values())
        finally:
            await broker.delete("policies", "/", "test-full")
    assert {answer["error"]["code"] for answer in await asyncio.gather(*asked.values())} == {"internal"}
    queue, kept = await client.dead(), set[str]()
    while (message := await queue.get(fail=False)) is not None:
        await message.ack()
        kept.add(json.loads(message.body)["idempotencyKey"])
    assert kept == asked.keys()
    await worker.ready()
    assert await worker.meter("mana_kept_refused") == 0


async def _logged(channel: AbstractChannel, user: str, number: int) -> list[int]:
    """The user's sequence numbers in the log, repeats dropped, once there are so many."""
    found: dict[int, None] = {}
    done = asyncio.Event()

    async def take(message: AbstractIncomingMessage) -> None:
        event = json.loads(message.body)
        if event["subject"] == user:
            found[event["sequence"]] = None
        if len(found) >= number:
            done.set()
        await message.ack()

    await channel.set_qos(prefetch_count=100)
    log = await channel.get_queue("credits.events.log", ensure=False)
    tag = await log.consume(take, arguments={"x-stream-offset": "first"})
    async with asyncio.timeout(20):
        await done.wait()
    await log.cancel(tag)
    return list(found)


async def test_the_clock_wakes_who_has_expired_lots(
    servers: Instance, worker: Running, logs: Path, client: Client, events: Subscriber, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    soon = await owner.fetchval("SELECT to_char(now() + interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    grant = {"amount": 7, "description": "d", "source": "promotion", "expiresAt": soon, "idempotencyKey": "g"}
    assert (await client.call("credits.grant", user, **grant))["ok"] is True
    expires = "UPDATE credits.lots SET expires_at = now() WHERE account_id = $1::text::uuid AND expires_at IS NOT NULL"
    await owner.execute(expires, user)
    async with running(servers, logs, "workers.clock") as clock:
        await clock.ready()
        told = await events.has(user, 3)
        assert (told[2]["type"], told[2]["data"]["balance"]["freeCreditsRemaining"]) == ("credits.expired", 150)
        assert await clock.meter("mana_clock_woken_total") >= 1
