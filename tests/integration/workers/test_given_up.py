"""What the broker itself takes out of a queue of commands has a place of its own: there it fills nobody's room, and
waits for none. And a place whose queues a version before made goes on with them.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pytest

from contracts.topology import (
    COMMAND_QUEUE_ARGUMENTS,
    COMMAND_QUEUE_ARGUMENTS_BEFORE,
    COMMANDS_EXCHANGE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    GIVEN_UP_QUEUE,
    RELAY_LOGIN,
    WORKER_LOGIN,
    Bounds,
    command_queue,
)
from ops import broker_logins, topology, urls
from ops.errors import LauncherError
from ops.instance import Instance
from ops.management import Management
from tests.e2e.client import Client
from tests.integration.workers.dead import Mana, ids, keep, there_are, use
from tests.integration.workers.running import until
from workers.broker.channel import Listener
from workers.broker.declaring import declare
from workers.broker.fields import short
from workers.broker.link import Link

pytestmark = pytest.mark.usefixtures("emptied")
_BOUND = 5
_MANY = 40


def _management(servers: Instance) -> Management:
    return Management.of(servers.addresses.management, servers.addresses.amqp)


async def _wait(client: Client, queue: str) -> int:
    declared = await client.channel.declare_queue(queue, passive=True)
    return declared.declaration_result.message_count or 0


@asynccontextmanager
async def _bounded(servers: Instance) -> AsyncGenerator[None]:
    """Few fit where the broker puts what it gives up."""
    vhost = urls.vhost_of(servers.addresses.amqp)
    body = {"pattern": r"^credits\.dead\.broker$", "priority": 9, "definition": {"max-length": _BOUND}}
    async with _management(servers) as broker:
        await broker.put("policies", vhost, "few", body=body)
        try:
            yield
        finally:
            await broker.delete("policies", vhost, "few")


@asynccontextmanager
async def _unread(client: Client) -> AsyncGenerator[str]:
    """A queue such as those of commands are, which nobody consumes."""
    queue = f"credits.commands.test-{secrets.token_hex(4)}"
    declared = await client.channel.declare_queue(queue, durable=True, arguments=COMMAND_QUEUE_ARGUMENTS)
    yield queue
    await declared.delete(if_unused=False, if_empty=False)


async def _expire(servers: Instance, queue: str, bodies: list[dict[str, Any]]) -> None:
    """As the relay, whose login may send for users, and may put something into a queue by its name."""
    async with await aio_pika.connect(servers.addresses.amqp_as(RELAY_LOGIN)) as connection:
        channel = await connection.channel()
        for body in bodies:
            message = aio_pika.Message(
                json.dumps(body).encode(), type="credits.use", user_id=RELAY_LOGIN, expiration=0.001
            )
            await channel.default_exchange.publish(message, queue)


async def test_what_expires_fills_no_room_of_others_and_holds_up_nobody(
    mana: Mana, client: Client, servers: Instance
) -> None:
    user = str(uuid.uuid4())
    async with _bounded(servers), _unread(client) as queue:
        beside = await client.channel.declare_queue(exclusive=True)
        await beside.bind(DEAD_EXCHANGE, DEAD_QUEUE)

        async def all_came() -> bool:
            return await _wait(client, beside.name) == _MANY

        await keep(servers.addresses.amqp_as(WORKER_LOGIN), use(user, "ours"), login="chat")
        await _expire(servers, queue, [use(user, f"k{key}") for key in range(_MANY)])

        await until(all_came, "all that expired has left its queue")
        assert await _wait(client, GIVEN_UP_QUEUE) == _BOUND
        await there_are(client, 1)
    listed = (await mana("list")).output.splitlines()
    assert len(listed) == 1 + 1 + _BOUND
    assert all(RELAY_LOGIN in line and "the broker gave it up: expired" in line for line in listed[2:])
    assert "unknown" not in listed[2], "the broker says when"
    shown = (await mana("show", listed[-1].split()[0])).output
    assert f'"idempotencyKey": "k{_MANY - 1}"' in shown, "the oldest went first"
    dropped = await mana("drop", "--all", "--reason", "gave it up", "--because", "a flood")
    assert dropped.output.count("is given up") == _BOUND
    assert len(ids(await mana("list"))) == 1


_EXPIRES, _TIMESTAMP, _TYPE = 1 << 8, 1 << 6, 1 << 5
_SPOILT = {
    "type": ((_EXPIRES | _TYPE), short("1") + b"\x02\xff\xfe"),
    "timestamp": ((_EXPIRES | _TIMESTAMP | _TYPE), short("1") + (2**62).to_bytes(8, "big") + short("credits.use")),
}
"""Flags and properties, in their order."""


async def test_what_no_library_can_read_is_looked_at_and_given_up(
    mana: Mana, client: Client, servers: Instance
) -> None:
    """As its sender made it: one such message must not hide those behind it."""
    async with _unread(client) as queue:
        link = await Link.open(servers.addresses.amqp, "a hostile client")
        channel = await link.channel(Listener())
        for name, (flags, properties) in _SPOILT.items():
            body = json.dumps({"spoilt": name}).encode()
            channel.write(
                channel.framer.publish("", queue, flags.to_bytes(2, "big") + properties, body, mandatory=False)
            )
        await _expire(servers, queue, [use(str(uuid.uuid4()))])

        async def gone() -> bool:
            return await _wait(client, GIVEN_UP_QUEUE) == len(_SPOILT) + 1

        await until(gone, "all have expired")
        await link.close()
    listed = ids(await mana("list"))
    shown = [(await mana("show", letter)).output for letter in listed]
    assert [sum(f'"spoilt": "{name}"' in one for one in shown) for name in _SPOILT] == [1, 1]
    assert "unknown" not in (await mana("list", "--app", "chat")).output
    dropped = await mana("drop", *listed, "--because", "nobody can read them")
    assert dropped.output.count("is given up") == len(listed) == len(_SPOILT) + 1


@asynccontextmanager
async def _made_before(servers: Instance, arguments: dict[str, Any]) -> AsyncGenerator[tuple[Management, str]]:
    """A virtual host whose queues of commands have these arguments, and none of them is bound."""
    vhost = f"before-{secrets.token_hex(4)}"
    async with _management(servers) as broker:
        await broker.put("vhosts", vhost, body={})
        await broker.put(
            "permissions", vhost, servers.addresses.administrator, body={"configure": ".*", "write": ".*", "read": ".*"}
        )
        try:
            for partition in range(2):
                body = {"durable": True, "arguments": arguments}
                await broker.put("queues", vhost, command_queue(partition), body=body)
            yield broker, vhost
        finally:
            await broker.delete("vhosts", vhost)


async def _arguments(broker: Management, vhost: str) -> list[dict[str, Any]]:
    return [(await broker.get("queues", vhost, command_queue(partition)))["arguments"] for partition in range(2)]


async def _declare(servers: Instance, broker: Management, vhost: str) -> None:
    passwords = {login.name: servers.addresses.secrets.login(login.name) for login in broker_logins.OUR_LOGINS}
    await topology.declare(broker, vhost, 2, passwords, Bounds())


async def test_a_place_of_a_version_before_goes_on_with_its_queues_until_they_are_made_anew(servers: Instance) -> None:
    async with _made_before(servers, COMMAND_QUEUE_ARGUMENTS_BEFORE) as (broker, vhost):
        await _declare(servers, broker, vhost)
        parts = urlsplit(servers.addresses.amqp_as(WORKER_LOGIN))
        link = await Link.open(urlunsplit(parts._replace(path=f"/{vhost}")), "test")
        try:
            await declare(link, range(2))
            assert await _arguments(broker, vhost) == [COMMAND_QUEUE_ARGUMENTS_BEFORE] * 2
            await broker.delete("queues", vhost, command_queue(1))
            await declare(link, range(2))
            assert await _arguments(broker, vhost) == [COMMAND_QUEUE_ARGUMENTS_BEFORE, COMMAND_QUEUE_ARGUMENTS]
        finally:
            await link.close()
        for partition in range(2):
            await broker.delete("queues", vhost, command_queue(partition))
        await _declare(servers, broker, vhost)
        assert await _arguments(broker, vhost) == [COMMAND_QUEUE_ARGUMENTS] * 2
        bound = await broker.get("exchanges", vhost, COMMANDS_EXCHANGE, "bindings", "source")
        assert len(bound) == 2


async def test_a_queue_of_commands_with_other_arguments_is_refused(servers: Instance) -> None:
    async with _made_before(servers, {**COMMAND_QUEUE_ARGUMENTS, "x-delivery-limit": 20}) as (broker, vhost):
        with pytest.raises(LauncherError, match="the broker cannot change it"):
            await _declare(servers, broker, vhost)
