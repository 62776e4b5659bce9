"""A process that is killed at a point, for some of them: whoever comes after it finishes what it had begun, once.

The whole matrix is a scenario of the fault suite; here is only seen that the points are where they say they are.
"""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.instance import Instance
from tests.e2e import client as client_module
from tests.e2e.client import Client
from tests.integration.workers.events import Subscriber, subscribed
from tests.integration.workers.running import Running, running, until

_USERS = 12
_BURST = 36


@asynccontextmanager
async def _worker(servers: Instance, logs: Path, crash_at: str = "") -> AsyncGenerator[Running]:
    environment = {"MANA_CRASH_AT": crash_at} if crash_at else {}
    async with running(servers, logs, "tests.faults.worker", environment) as worker:
        yield worker


class _Spender:
    """Takes one credit at a time, and remembers what it was told."""

    def __init__(self, client: Client, users: list[str]) -> None:
        self.told: dict[tuple[str, str], dict[str, Any]] = {}
        self.waiting: set[asyncio.Task[None]] = set()
        self._client = client
        self._users = users

    @property
    def unanswered(self) -> int:
        """How many wait."""
        return sum(not task.done() for task in self.waiting)

    def burst(self) -> None:
        """Many at once, several of each user: a batch over all channels."""
        for number in range(_BURST):
            user, key = self._users[number % len(self._users)], str(uuid.uuid4())
            self.waiting.add(asyncio.create_task(self._use(user, key)))

    async def _use(self, user: str, key: str) -> None:
        self.told[user, key] = await self._client.use(user, idempotencyKey=key)


@pytest.fixture(scope="module")
async def users(servers: Instance, logs: Path) -> list[str]:
    """Open accounts."""
    async with Client.connected(servers.addresses.amqp) as client, _worker(servers, logs) as worker:
        await worker.ready()
        return await asyncio.gather(*(client.open_user() for _ in range(_USERS)))


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers may have to be started first."""
    monkeypatch.setattr(client_module, "ANSWER_SECONDS", 90)


@pytest.mark.checklist(65, 66)
@pytest.mark.parametrize(
    ("point", "redelivered"),
    [
        ("after_deliver", 1),
        ("before_commit", 1),
        ("after_commit", 1),
        ("mid_replies", 1),
        ("after_reply", 1),
        ("mid_ack", 1),
        ("mid_events", 0),  # behind its acks: all that was sent may be answered
    ],
)
async def test_a_killed_worker_s_commands_end_once(
    point: str,
    redelivered: int,
    servers: Instance,
    logs: Path,
    client: Client,
    users: list[str],
    owner: asyncpg.Connection,
) -> None:
    spender = _Spender(client, users)
    async with subscribed(servers.addresses.amqp) as subscriber:
        async with _worker(servers, logs, f"{point}:2") as doomed:
            await _spend_until_dead(spender, doomed)
        assert doomed.child.returncode == -signal.SIGKILL
        assert [line["point"] for line in doomed.output if line["event"] == "crash point"] == [point]
        async with _worker(servers, logs) as heir:
            await asyncio.gather(*spender.waiting)
            await heir.ready()
            assert await heir.meter("mana_deliveries_redelivered_total") >= redelivered
            await _ends_once(spender, subscriber, users, owner)
            await _repeats_answer_the_same(spender, client)
    assert (await client.channel.get_queue("credits.dead")).declaration_result.message_count == 0


async def _spend_until_dead(spender: _Spender, doomed: Running) -> None:
    async def dead() -> bool:
        if spender.unanswered < 2 * _BURST:
            spender.burst()
        await asyncio.sleep(0.2)
        return doomed.child.returncode is not None

    await until(dead, "killed at its point", doomed.log)


async def _ends_once(spender: _Spender, subscriber: Subscriber, users: list[str], owner: asyncpg.Connection) -> None:
    assert all(answer["ok"] for answer in spender.told.values())
    rows = await owner.fetch(
        "SELECT account_id::text, idempotency_key, id::text FROM credits.transactions WHERE idempotency_key = ANY($1)",
        [key for _, key in spender.told],
    )
    told = {key: answer["transaction"]["id"] for key, answer in spender.told.items()}
    assert {(row["account_id"], row["idempotency_key"]): row["id"] for row in rows} == told
    assert len(rows) == len(told)
    for user in users:
        used = [identity for (account, _), identity in told.items() if account == user]
        await subscriber.has(user, len(used))
        assert {event["data"]["transaction"]["id"] for event in subscriber.of(user)} == set(used)


async def _repeats_answer_the_same(spender: _Spender, client: Client) -> None:
    for (user, key), first in list(spender.told.items())[:5]:
        again = await client.use(user, idempotencyKey=key)
        assert again["replayed"] is True
        assert {**again, "replayed": first["replayed"]} == first


@pytest.mark.checklist(65)
async def test_replies_have_left_though_their_ack_has_not(
    servers: Instance, logs: Path, client: Client, users: list[str]
) -> None:
    async with _worker(servers, logs, "after_reply:1") as doomed:
        assert (await client.use(users[0]))["ok"]
        await _died(doomed)
    async with _worker(servers, logs) as heir:
        await _meter_becomes(heir, "mana_commands_total", 1)
        assert await heir.meter("mana_deliveries_redelivered_total") == 1


@pytest.mark.checklist(66)
async def test_an_ack_has_left_though_no_event_has(
    servers: Instance, logs: Path, client: Client, users: list[str]
) -> None:
    async with subscribed(servers.addresses.amqp) as subscriber:
        async with _worker(servers, logs, "after_ack:1") as doomed:
            assert (await client.use(users[0]))["ok"]
            await _died(doomed)
        async with _worker(servers, logs) as heir:
            await subscriber.has(users[0], 1)
            assert await heir.meter("mana_deliveries_redelivered_total") == 0
        assert len(subscriber.events) == 1


async def test_an_event_has_left_though_its_mark_is_not_written(
    servers: Instance, logs: Path, client: Client, users: list[str]
) -> None:
    async with subscribed(servers.addresses.amqp) as subscriber:
        async with _worker(servers, logs, "after_event:1") as doomed:
            assert (await client.use(users[0]))["ok"]
            await _died(doomed)
            await subscriber.has(users[0], 1)
        async with _worker(servers, logs):
            await until(lambda: _twice(subscriber), "the event comes again")
    first, again = subscriber.events
    assert again == first


@pytest.mark.parametrize("point", ["drain_start", "handback_before_close"])
async def test_a_worker_that_is_killed_while_it_drains(
    point: str, servers: Instance, logs: Path, client: Client, users: list[str]
) -> None:
    spender = _Spender(client, users)
    async with _worker(servers, logs, f"{point}:1") as doomed:
        await doomed.ready()
        spender.burst()
        doomed.signal(signal.SIGTERM)
        await _died(doomed)
    async with _worker(servers, logs) as heir:
        await heir.ready()
        await asyncio.gather(*spender.waiting)
    assert all(answer["ok"] for answer in spender.told.values())


async def _died(worker: Running) -> None:
    assert await asyncio.wait_for(worker.child.wait(), 60) == -signal.SIGKILL, worker.log.read_text()


async def _twice(subscriber: Subscriber) -> bool:
    return len(subscriber.events) == 2


async def _meter_becomes(worker: Running, meter: str, value: float) -> None:
    async def look() -> bool:
        return await worker.meter(meter) >= value

    await until(look, f"{meter} is {value}", worker.log)
