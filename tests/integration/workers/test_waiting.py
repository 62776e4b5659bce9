"""What waits in the queues before there is a worker: it comes at the very moment of subscribing, and harms nobody."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.running import running

_MESSAGES = 40
"""Enough for every partition to hold some."""


async def test_a_waiting_message_that_is_refused_lets_the_worker_start(servers: Instance, logs: Path) -> None:
    async with Client.connected(servers.addresses.amqp) as client:
        waiting = [
            asyncio.create_task(client.send(b"[]", str(uuid.uuid4()), type="credits.balance")) for _ in range(_MESSAGES)
        ]
        await asyncio.sleep(0.5)
        async with running(servers, logs) as worker:
            refused = await asyncio.gather(*waiting)
            assert {answer["error"]["code"] for answer in refused} == {"invalid_request"}
            await worker.ready()
            assert (await client.use(await client.open_user()))["ok"] is True
