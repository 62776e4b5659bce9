"""Sharing out: whoever joins, leaves, is killed, stopped or woken, all partitions are consumed, by everybody alike.

Seen from outside: by the workers' meters, and by who consumes at the broker.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator

import pytest

from contracts.topology import command_queue
from ops.instance import Instance
from tests.e2e.client import Client
from tests.faults.servers import private_servers
from tests.faults.tools.broker import Broker
from tests.faults.tools.telling import until
from tests.faults.tools.workers import EVEN_SECONDS, Workers

_PARTITIONS = 32


@pytest.fixture(scope="module")
def servers() -> Generator[Instance]:
    """Servers with as many partitions as there are by default."""
    with private_servers(partitions=_PARTITIONS) as instance:
        yield instance


async def _consumed_alike(broker: Broker, workers: Workers) -> None:
    """By the broker's own account: each partition by one of those present, and no one has two more than another."""
    wanted = {command_queue(partition) for partition in range(_PARTITIONS)}
    names = {f"{worker.name} commands" for worker in workers.present}
    seen: dict[str, list[str]] = {}

    async def look() -> bool:
        seen.clear()
        seen.update({queue: who for queue, who in (await broker.consumers()).items() if queue in wanted})
        if seen.keys() != wanted or any(len(who) != 1 for who in seen.values()):
            return False
        counts = Counter(who[0] for who in seen.values())
        return counts.keys() == names and max(counts.values()) - min(counts.values()) <= 1

    try:
        await until(look, "the partitions are consumed alike", EVEN_SECONDS)
    except AssertionError as late:
        raise AssertionError(f"{late}{seen}") from None


async def _shared_out(broker: Broker, workers: Workers, client: Client, users: list[str]) -> None:
    await workers.even(EVEN_SECONDS)
    await _consumed_alike(broker, workers)
    answers = await asyncio.gather(*(client.use(user) for user in users))
    assert all(answer["ok"] for answer in answers)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_shares_are_even_whatever_happens_to_workers(servers: Instance, workers: Workers, client: Client) -> None:
    broker = Broker(servers)
    await workers.start(1)
    users = await asyncio.gather(*(client.open_user() for _ in range(40)))

    async def shared_out() -> None:
        await _shared_out(broker, workers, client, users)

    await shared_out()
    first, second, third = [*workers.all, *await workers.start(2)]  # they join
    await shared_out()
    await second.kill()  # it is started again
    await shared_out()
    assert second.restarts == 1
    await second.remove()  # it is not
    await shared_out()
    await third.pause()
    await shared_out()
    await third.wake()
    await shared_out()
    assert third.restarts == 0
    assert await third.drain() == 0  # it leaves
    await shared_out()
    await workers.start(4)
    await shared_out()
    assert first.restarts == 0
    assert set((await workers.stop()).values()) == {0}
