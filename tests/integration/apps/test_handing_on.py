"""RabbitMQ lets who may publish commands also have other things sent there; the keeper takes those ways away."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelNotFoundEntity
from pamqp.common import Arguments

from contracts.apps import CHANGES_CHANNEL, own_names
from contracts.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE
from tests.integration.apps.broker import Broker, Given, connected
from tests.integration.paused import paused
from tests.integration.workers.running import Running, until


@pytest.fixture(scope="module")
async def given(broker: Broker, keeper: Running) -> Given:
    """An app that may read its events."""
    assert keeper.url
    return await broker.new_app()


@pytest.fixture
async def channel(given: Given) -> AsyncGenerator[AbstractChannel]:
    """A channel of the app's."""
    async with connected(given) as (connection, _):
        yield await connection.channel()


async def _inward(broker: Broker) -> list[str]:
    bindings = await broker.ask("GET", f"exchanges/%2F/{COMMANDS_EXCHANGE}/bindings/destination")
    return [binding["source"] for binding in bindings]


async def test_no_exchange_stays_bound_to_the_commands(
    broker: Broker, keeper: Running, owner: asyncpg.Connection, given: Given, channel: AbstractChannel
) -> None:
    commands = await channel.get_exchange(COMMANDS_EXCHANGE, ensure=False)
    own = await channel.declare_exchange(f"{own_names(given.app)}x", "topic")
    with paused(keeper.child):
        await own.bind(EVENTS_EXCHANGE, f"credits.*.{given.app}")
        await commands.bind(own, "#")
        await commands.bind(EVENTS_EXCHANGE, f"credits.*.{given.app}")
        assert sorted(await _inward(broker)) == [EVENTS_EXCHANGE, own.name]
    await owner.execute(f"NOTIFY {CHANGES_CHANNEL}")

    async def cut() -> bool:
        return await _inward(broker) == []

    await until(cut, "nothing is bound to the commands' exchange", keeper.log)


async def test_no_queue_gives_up_messages_to_the_commands(
    broker: Broker, keeper: Running, owner: asyncpg.Connection, given: Given, channel: AbstractChannel
) -> None:
    kept = await channel.declare_queue(f"{own_names(given.app)}kept", durable=True)
    passes_on: Arguments = {"x-dead-letter-exchange": COMMANDS_EXCHANGE, "x-message-ttl": 0}
    queue = await channel.declare_queue(f"{own_names(given.app)}q", durable=True, arguments=passes_on)
    await owner.execute(f"NOTIFY {CHANGES_CHANNEL}")

    async def gone() -> bool:
        return queue.name not in {each["name"] for each in await broker.ask("GET", "queues/%2F")}

    await until(gone, "the queue is gone", keeper.log)
    with pytest.raises(ChannelNotFoundEntity):
        await channel.declare_queue(queue.name, passive=True)
    assert kept.name in {each["name"] for each in await broker.ask("GET", "queues/%2F")}
