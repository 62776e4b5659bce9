"""The client writes down before it sends, keeps its order, and never takes a silence for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pamqp.frame
import pytest

from bench.frames import BrokerError, Receiver
from tests.faults.oracle import client as module
from tests.faults.oracle.client import Client, until_known
from tests.faults.oracle.journal import Journal, Outcome, Told, read

NO = b'{"ok":false,"error":{"code":"insufficient_credits","message":"no","details":{}}}'
OK = b'{"ok":true,"replayed":false,"transaction":null,"balance":{}}'


class PlayedBroker:
    """Keeps what it is sent; what it says is the test's to choose."""

    def __init__(self, journal: Journal) -> None:
        self.sent: list[bytes] = []
        self.frames: list[bytes] = []
        self.connections = 0
        self.away = False
        self.receiver: Receiver
        self.confirmed: Callable[[bytes], None]
        self.answer: Callable[[bytes], None] = lambda _correlation_id: None
        self.journal = journal

    async def connect(self, _url: str, receiver: Receiver, _heartbeat: int, confirmed: Callable[[bytes], None]) -> Any:
        """Takes `bench.frames.connect`'s place."""
        if self.away:
            raise BrokerError("away")
        self.connections += 1
        self.receiver, self.confirmed = receiver, confirmed
        return self

    def publish_frames(self, correlation_id: bytes, frames: bytes) -> None:
        """What is sent must be in the file by now."""
        assert _number(correlation_id) in read(self.journal.path).attempts
        self.sent.append(correlation_id)
        self.frames.append(frames)
        asyncio.get_running_loop().call_soon(self.answer, correlation_id)

    async def close(self) -> None:
        """Nothing is open."""


def _decoded(frames: bytes) -> tuple[Any, Any]:
    used, _, method = pamqp.frame.unmarshal(frames)
    return method, pamqp.frame.unmarshal(frames[used:])[2]


def _number(correlation_id: bytes) -> int:
    return int(correlation_id.rpartition(b":")[2])


@pytest.fixture
async def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayedBroker:
    """In the place of RabbitMQ."""
    played = PlayedBroker(Journal(tmp_path / "journal", "run"))
    monkeypatch.setattr(module, "connect", played.connect)
    monkeypatch.setattr(module, "_RECONNECT_SECONDS", (0.0, 0.0))
    return played


@pytest.fixture
async def client(broker: PlayedBroker) -> AsyncGenerator[Client]:
    """Connected to it."""
    async with Client("amqp://admin:x@played/", broker.journal) as connected:
        yield connected


async def told(client: Client) -> Told:
    """What stands in the journal."""
    await client.journal.synced()
    return read(client.journal.path)


async def test_an_answer_is_on_the_disk_before_it_is_used(client: Client, broker: PlayedBroker) -> None:
    broker.answer = lambda correlation_id: broker.receiver.answered(correlation_id, OK)
    outcome = await client.send("use", "u", "k", amount=1)
    assert outcome.cls == "acknowledged"
    assert read(client.journal.path).outcomes == {1: [outcome]}


async def test_messages_leave_in_the_order_in_which_they_were_sent(client: Client, broker: PlayedBroker) -> None:
    broker.answer = lambda correlation_id: broker.receiver.answered(correlation_id, OK)
    await asyncio.gather(*(client.send("use", "u", str(number), amount=1) for number in range(300)))
    assert broker.sent == [b"run:%d" % n for n in range(1, 301)]


async def test_the_message_is_what_the_contract_asks_for(client: Client, broker: PlayedBroker) -> None:
    headers = {"deadline": "2026-01-01T00:00:00Z"}
    broker.answer = lambda correlation_id: broker.receiver.answered(correlation_id, OK)
    await client.send("use", "u", "k", amount=2, app="x", message_id="m", headers=headers)
    method, header = _decoded(broker.frames[0])
    assert (method.exchange, method.routing_key, method.mandatory) == ("credits.commands", "u", True)
    properties = header.properties
    assert (properties.message_type, properties.message_id, properties.headers) == ("credits.use", "m", headers)
    assert (properties.user_id, properties.reply_to) == ("admin", "amq.rabbitmq.reply-to")
    (attempt,) = (await told(client)).attempts.values()
    assert attempt.body == ('{"userId":"u","description":"a use","idempotencyKey":"k","amount":2,"appId":"x"}')


async def test_silence_is_unknown_and_a_late_answer_counts(client: Client, broker: PlayedBroker) -> None:
    deadline, outcome = 0.01, None
    while not broker.sent:  # a deadline may come before the disk is done
        deadline *= 2
        outcome = await client.send("use", "u", "k", amount=1, deadline=deadline)
    assert outcome is not None
    assert (outcome.cls, outcome.code) == ("unknown", "timeout")
    broker.receiver.answered(broker.sent[0], NO)
    assert [each.cls for each in (await told(client)).outcomes[outcome.n]] == ["unknown", "refused"]


async def test_what_the_disk_has_too_late_is_never_sent(client: Client, broker: PlayedBroker) -> None:
    outcome = await client.send("use", "u", "k", amount=1, deadline=0)
    assert outcome.cls == "unknown"
    assert [each.code for each in (await told(client)).outcomes[1]] == ["timeout", "never_sent"]
    assert broker.sent == []


async def test_a_lost_connection_is_unknown_and_made_again(client: Client, broker: PlayedBroker) -> None:
    broker.answer = lambda _correlation_id: broker.receiver.lost(BrokerError("gone"))
    outcome = await client.send("use", "u", "k", amount=1)
    assert (outcome.cls, outcome.code) == ("unknown", "connection_lost")
    await client.connected(5)
    assert broker.connections == 2


async def test_what_was_never_sent_is_not_accepted(client: Client, broker: PlayedBroker) -> None:
    broker.away = True
    broker.receiver.lost(BrokerError("gone"))
    outcome = await client.send("use", "u", "k", amount=1)
    assert (outcome.cls, outcome.code, broker.sent) == ("not_accepted", "unreachable", [])


async def test_confirms_nacks_and_returns(client: Client, broker: PlayedBroker) -> None:
    def taken(correlation_id: bytes) -> None:
        broker.confirmed(correlation_id)
        broker.receiver.answered(correlation_id, OK)

    def returned(correlation_id: bytes) -> None:
        broker.receiver.unroutable(correlation_id)
        broker.confirmed(correlation_id)

    codes: list[str | None] = []
    for happening in (taken, broker.receiver.refused, returned):
        broker.answer = happening
        codes.append((await client.send("use", "u", "k", amount=1)).code)
    assert codes == [None, "nacked", "no_route"]
    assert (await told(client)).confirmed == {1}


@pytest.mark.parametrize("correlation_id", [b"", b"other:1", b"run:x", b"\xff"])
async def test_an_answer_to_nobody_is_written_down(client: Client, broker: PlayedBroker, correlation_id: bytes) -> None:
    broker.receiver.answered(correlation_id, OK)
    assert [outcome.code for outcome in (await told(client)).outcomes[0]] == ["stray"]


async def test_the_same_command_again_is_a_new_message(client: Client, broker: PlayedBroker) -> None:
    broker.answer = lambda correlation_id: broker.receiver.answered(correlation_id, OK)
    await client.send("use", "u", "k", amount=1)
    first = (await told(client)).attempts[1]
    await client.again(first)
    await client.again(first, amount=2)
    _, same, other = (await told(client)).attempts.values()
    assert (same.body, same.key, same.op, same.amount) == (first.body, first.key, first.op, first.amount)
    assert len({first.message_id, same.message_id, other.message_id}) == 3
    assert (other.amount, '"amount": 2' in other.body) == (2, True)


async def test_one_insists_until_the_answer_is_definite() -> None:
    outcomes = iter([Outcome(1, "unknown"), Outcome(2, "not_accepted"), Outcome(3, "refused")])

    async def send() -> Outcome:
        return next(outcomes)

    assert (await until_known(send, 10)).n == 3


async def test_one_does_not_insist_for_ever() -> None:
    async def send() -> Outcome:
        return Outcome(1, "unknown")

    assert (await until_known(send, 0)).cls == "unknown"


async def test_each_client_of_a_journal_has_a_name_of_its_own(client: Client, broker: PlayedBroker) -> None:
    async with Client("amqp://admin:x@played/", broker.journal) as second:
        await client.send("use", "u", "k", amount=1, deadline=0)
        await second.send("use", "u", "k", amount=1, deadline=0)
    assert [attempt.transport for attempt in (await told(client)).attempts.values()] == ["amqp", "amqp:2"]
