"""The operator's bounds at a real broker: whoever forgets a queue fills no disk, and ours keep their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractQueue

from contracts.topology import BOUNDS_DEFAULT, DEAD_QUEUE, MAIL_QUEUE, Bounds, broker_topology
from ops import topology, urls
from ops.broker_logins import OUR_LOGINS
from ops.instance import Instance
from ops.management import Management
from tests.integration.workers.running import PARTITIONS, until

NARROW = Bounds(400_000_000, timedelta(days=90), subscriber_queue_bytes=60, subscriber_queue_length=5)
PUBLISHED = 20
Kind = dict[str, Any]


async def _declare(servers: Instance, broker: Management, bounds: Bounds) -> None:
    passwords = {login.name: servers.addresses.secrets.login(login.name) for login in OUR_LOGINS}
    await topology.declare(broker, urls.vhost_of(servers.addresses.amqp), PARTITIONS, passwords, bounds)


@pytest.fixture(scope="module")
async def broker(servers: Instance) -> AsyncGenerator[Management]:
    """As after another ``./mana up`` with narrow bounds."""
    async with Management(servers.addresses.management, *urls.login_of(servers.addresses.amqp)) as management:
        await _declare(servers, management, NARROW)
        yield management
        await _declare(servers, management, BOUNDS_DEFAULT)


@pytest.fixture
async def channel(servers: Instance) -> AsyncGenerator[AbstractChannel]:
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        yield await connection.channel()


async def _kept(channel: AbstractChannel, name: str, kind: Kind, bodies: list[bytes]) -> list[bytes]:
    """What a queue that nobody reads holds after so much was published to it."""
    queue = await channel.declare_queue(name, durable=True, arguments=kind)
    for body in bodies:
        await channel.default_exchange.publish(aio_pika.Message(body), name)
    kept = await _drained(queue)
    await queue.delete(if_unused=False, if_empty=False)
    return kept


async def _drained(queue: AbstractQueue) -> list[bytes]:
    kept: list[bytes] = []
    while (message := await queue.get(no_ack=True, fail=False)) is not None:
        kept.append(message.body)
    return kept


@pytest.mark.parametrize("name", ["chat.credits", "manage", "stripe.events2"])
@pytest.mark.parametrize("kind", [{}, {"x-queue-type": "quorum"}, {"x-max-length": 15}], ids=str)
async def test_a_strangers_queue_keeps_the_newest(
    broker: Management, channel: AbstractChannel, name: str, kind: Kind
) -> None:
    assert broker.where
    by_number = [b"%d" % number for number in range(PUBLISHED)]
    assert await _kept(channel, name, kind, by_number) == by_number[-NARROW.subscriber_queue_length :]
    assert await _kept(channel, name, kind, [b"%020d" % number for number in range(PUBLISHED)]) == [
        b"%020d" % number for number in range(PUBLISHED - 3, PUBLISHED)
    ]


@pytest.mark.parametrize("name", [MAIL_QUEUE, DEAD_QUEUE])
async def test_our_queues_are_not_bounded_by_it(broker: Management, channel: AbstractChannel, name: str) -> None:
    assert broker.where
    queue = await channel.get_queue(name)
    await queue.purge()
    for number in range(PUBLISHED):
        await channel.default_exchange.publish(aio_pika.Message(b"%020d" % number), name)
    assert await _drained(queue) == [b"%020d" % number for number in range(PUBLISHED)]


@pytest.mark.slow
async def test_ours_live_by_their_own_policies(broker: Management, servers: Instance) -> None:
    vhost = urls.vhost_of(servers.addresses.amqp)
    wanted = broker_topology(PARTITIONS, bounds=NARROW)
    policies = {policy.name: policy.definition for policy in wanted.policies}

    async def look() -> bool:
        """The API tells what a queue lives by some seconds later."""
        held = {queue["name"]: queue for queue in await broker.get("queues", vhost)}
        ours = [held[queue.name] for queue in wanted.queues]
        if not all("policy" in queue for queue in ours):
            return False
        assert not any(queue["operator_policy"] for queue in ours)
        return all(queue["effective_policy_definition"] == policies[queue["policy"]] for queue in ours)

    await until(look, "our queues live by our policies")
    assert policies["mana-events-log"]["max-age"] == "7776000s"
