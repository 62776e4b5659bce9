"""What an app may do at the broker works, with a login that the keeper made, also while its secret is exchanged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import aio_pika
import pytest

from tests.e2e.client import Client
from tests.integration.apps.broker import Broker, Given
from tests.integration.workers.running import Running, until


@pytest.fixture(scope="module")
async def given(broker: Broker, keeper: Running, worker: Running) -> Given:
    """An app for which no permissions were named."""
    assert (keeper.child.returncode, worker.child.returncode) == (None, None)
    return await broker.new_app()


@pytest.fixture(scope="module")
async def opened_user(broker: Broker, worker: Running) -> AsyncGenerator[str]:
    """A user with the signup bonus."""
    assert worker.child.returncode is None
    async with Client.connected(broker.instance.addresses.amqp) as administrator:
        yield await administrator.open_user()


async def test_it_charges_and_hears_its_own_events_and_no_others(
    given: Given, broker: Broker, opened_user: str
) -> None:
    other = await broker.new_app()
    async with (
        await aio_pika.connect(given.url) as connection,
        Client.connected(given.url) as client,
        Client.connected(other.url) as others,
    ):
        channel = await connection.channel()
        queue = await channel.declare_queue(f"{given.app}.events", exclusive=True)
        await queue.bind("credits.events", f"credits.*.{given.app}")
        assert (await others.use(opened_user, 1, appId=other.app))["ok"]
        used = await client.use(opened_user, 3, appId=given.app)
        assert used["ok"], used
        async with queue.iterator(timeout=10) as messages:
            event = json.loads((await anext(messages)).body)
        assert event["data"]["transaction"] == used["transaction"]


async def test_it_makes_fills_and_removes_what_bears_its_name(given: Given) -> None:
    own = f"{given.app}.work"
    async with await aio_pika.connect(given.url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(own, aio_pika.ExchangeType.TOPIC)
        queue = await channel.declare_queue(own, arguments={"x-dead-letter-exchange": own})
        await queue.bind(exchange, "#")
        await exchange.publish(aio_pika.Message(b"to myself"), "any.key.at.all")
        got = await queue.get(no_ack=True)
        assert got is not None
        assert got.body == b"to myself"
        await queue.purge()
        await queue.delete()
        await exchange.delete()


async def test_its_secret_is_exchanged_without_an_outage(given: Given, broker: Broker, opened_user: str) -> None:
    """It works on and on, by the old login until it has the new one, and every command is answered."""
    answered = list[tuple[Given, bool]]()
    current, stop = given, asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            now = current
            async with Client.connected(now.url) as client:
                while current is now and not stop.is_set():
                    reply = await client.call("credits.balance", opened_user)
                    answered.append((now, reply["ok"]))

    async def is_answered(login: Given, after: int = 0) -> bool:
        return any(one is login for one, _ in answered[after:])

    working = asyncio.create_task(work())
    try:
        await until(lambda: is_answered(given), "commands are answered before the exchange")
        current = await broker.add_secret(given.app)
        await until(lambda: is_answered(current), "commands are answered by the new login")
        await until(lambda: _is_left(broker, given), "the old login has no connections any more")
        await broker.revoke_secret(given)
        await broker.settled(given.app)
        before = len(answered)
        await until(lambda: is_answered(current, before), "commands are answered after the exchange")
    finally:
        stop.set()
        await working
    assert all(ok for _, ok in answered)
    assert await broker.logins(given.app) == {current.login}


async def _is_left(broker: Broker, given: Given) -> bool:
    return await broker.connections(given.login) == []
