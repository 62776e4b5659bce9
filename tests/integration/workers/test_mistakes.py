"""What clients send wrongly harms nobody else, also when there is no room left to keep it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from contracts.topology import DEAD_QUEUE, broker_topology
from ops import urls
from ops.instance import Instance
from ops.management import Management
from tests.e2e.client import Client
from tests.integration.workers.running import PARTITIONS, Running, until

_MISTAKES = 40
"""Enough for every partition to get some."""


@asynccontextmanager
async def full(servers: Instance, client: Client) -> AsyncGenerator[None]:
    """The queue of dead copies takes no more."""
    (usual,) = (policy for policy in broker_topology(PARTITIONS).policies if policy.pattern == r"^credits\.dead$")
    login, password = urls.login_of(servers.addresses.amqp)
    async with Management(servers.addresses.management, login, password) as broker:

        async def bound(length: int) -> None:
            body = {"pattern": usual.pattern, "definition": {**usual.definition, "max-length": length}}
            await broker.put("policies", urls.vhost_of(servers.addresses.amqp), usual.name, body=body)

        await bound(1)
        try:
            yield
        finally:
            await bound(usual.definition["max-length"])
            await (await client.dead()).purge()


async def test_a_full_queue_of_dead_copies_stops_no_partition(
    servers: Instance, worker: Running, client: Client
) -> None:
    users = [await client.open_user() for _ in range(8)]
    async with full(servers, client):

        async def lost() -> bool:
            told = [client.send(b"[]", str(uuid.uuid4()), type="credits.balance") for _ in range(_MISTAKES)]
            assert {answer["error"]["code"] for answer in await asyncio.gather(*told)} == {"invalid_request"}
            return await worker.meter("mana_unreadable_lost_total") >= _MISTAKES

        await until(lost, f"{DEAD_QUEUE} is full, and that is counted", worker.log)
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*map(client.use, users))
        assert [answer["ok"] for answer in answers] == [True] * len(users)
        assert await worker.meter("mana_kept_refused") == 0
