"""What waits in the queues before there is a worker: it comes at the very moment of subscribing, and harms nobody."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from bench.frames import BrokerError, connect
from ops.instance import Instance
from tests.e2e import client as answering
from tests.e2e.client import Client
from tests.e2e.spoilt import Spoilt, text
from tests.integration.workers.running import Running, running, until

_MESSAGES = 40
"""Enough for every partition to hold some."""


class _Heard:
    """Nobody: the message has no address that an answer could come to."""

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        raise AssertionError(f"answered: {body!r}")

    def refused(self, correlation_id: bytes) -> None:
        raise AssertionError("nacked")

    def unroutable(self, correlation_id: bytes) -> None:
        raise AssertionError("returned")

    def lost(self, error: BrokerError) -> None:
        """The connection of this test ended."""


async def test_a_waiting_message_that_is_refused_lets_the_worker_start(
    servers: Instance, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for an answer waits for a worker's start."""
    monkeypatch.setattr(answering, "ANSWER_SECONDS", 60.0)
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
        await (await client.dead()).purge()  # for the tests that look at their own copies


async def test_two_damaged_properties_harm_nobody(servers: Instance, worker: Running, client: Client) -> None:
    heard = _Heard()
    sender = await connect(servers.addresses.amqp, heard)
    user = await client.open_user()
    damaged = {
        "type": text(b"credits.use"),
        "user_id": text(client.login.encode()),
        "correlation_id": text(b"\xff"),
        "reply_to": text(b"\xff" * 255),
    }
    sender.publish(Spoilt(damaged), user.encode(), b"", b"{}")

    async def kept() -> bool:
        copy = await (await client.dead()).get(fail=False, no_ack=True)
        return copy is not None and copy.body == b"{}"

    await until(kept, "the damaged message is kept", worker.log)
    await sender.close()
    assert (await client.use(user))["ok"] is True
    assert worker.child.returncode is None
