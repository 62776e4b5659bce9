"""Goal: whatever a client sends, it hurts nobody: it gets its reply where one can be sent, a copy goes to
``credits.dead`` where the contract says so, and the same user's next command is served.

Method: each case goes through a real broker to a real worker; then a credit is spent, and only that one is gone.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import struct
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError
from msgspec import Struct, field

from bench.frames import BrokerError, connect
from ops.instance import Instance
from ops.servers.rabbitmq import FRAME_MAX
from tests.e2e.client import EXCHANGE, Client
from tests.e2e.dead import Dead, reason
from tests.e2e.spoilt import Spoilt, header, header_table, text
from tests.unit.contracts.examples import INVALID, OTHER_USER, Case, body_of

SIGNUP_BONUS = 150
USE: dict[str, Any] = {"amount": 1, "appId": "chat", "description": "d", "idempotencyKey": "bad"}


@pytest.fixture(scope="module")
async def dead(instance: Instance) -> AsyncGenerator[Dead]:
    async with Client.connected(instance.env["MANA_AMQP_URL"]) as reader:
        copies = Dead()
        await copies.consume(reader)
        yield copies


@pytest.fixture(scope="module", autouse=True)
def unharmed(instance: Instance) -> Any:
    """At the end the worker is the one that there was at the beginning."""
    before = {process.name: process.pid for process in instance.status.processes}
    yield
    assert {process.name: process.pid for process in instance.status.processes} == before


async def spends_next(client: Client, user: str, already: int = 0) -> None:
    reply = await client.use(user)
    assert reply["ok"], reply
    assert reply["transaction"]["balanceBefore"] == SIGNUP_BONUS - already


def body(user: str, **change: Any) -> bytes:
    fields = {"userId": user, **USE, **change}
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


class Sent(Struct, frozen=True):
    """A message; what it is refused with, and the field that is named. ``kept``: a copy goes to ``credits.dead``.

    ``USER`` in the body stands for the user's id.
    """

    name: str
    body: bytes
    code: str = "invalid_request"
    named: str | None = None
    kept: bool = False
    properties: dict[str, Any] = field(default_factory=dict[str, Any])


USER = "USER"
GOOD = body(USER)

CASES = [
    Sent("not JSON", b"hello", named="body", kept=True),
    Sent("cut off", GOOD[:-1], named="body", kept=True),
    Sent("a list", b"[]", named="body", kept=True),
    Sent("empty", b"", named="body", kept=True),
    Sent("null", b"null", named="body", kept=True),
    Sent("NaN", GOOD.replace(b'"amount": 1', b'"amount": NaN'), named="body", kept=True),
    Sent("invalid UTF-8", GOOD.replace(b'"d"', b'"\xff"'), named="body", kept=True),
    Sent("a surrogate as UTF-8", GOOD.replace(b'"d"', b'"\xed\xa0\x80"'), named="body", kept=True),
    Sent("30 000 levels", b"[" * 30_000 + b"]" * 30_000, named="body", kept=True),
    Sent("10 000 levels of objects", b'{"a":' * 10_000, named="body", kept=True),
    Sent("5 000 levels of metadata", GOOD[:-1] + b', "metadata":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, kept=True),
    Sent("100 KB", GOOD + b" " * 100_000, named="body", kept=True),
    Sent("a compressed bomb", gzip.compress(b" " * 10**7), named="content_encoding", kept=True,
         properties={"content_encoding": "gzip"}),
    Sent("no type", GOOD, named="type", kept=True, properties={"type": None}),
    Sent("empty type", GOOD, named="type", kept=True, properties={"type": ""}),
    Sent("unknown type", GOOD, named="type", kept=True, properties={"type": "credits.lend"}),
    Sent("missing field", body(USER, description=...), named="description"),
    Sent("unknown field", body(USER, colour="red"), named="colour"),
    Sent("no user", body(USER, userId=...), named="userId"),
    *(
        Sent(f"amount {amount!r}", body(USER, amount=amount), named="amount")
        for amount in ("3", 3.5, True, None, 2**63, 2**70, 0, -1, 10**9 + 1)
    ),
    Sent("amount of 5 000 digits", GOOD.replace(b'"amount": 1', b'"amount": 1' + b"0" * 5_000), named="amount"),
    Sent("amount 1e999", GOOD.replace(b'"amount": 1', b'"amount": 1e999'), named="amount"),
    Sent("description of 501", body(USER, description="x" * 501), named="description"),
    Sent("metadata over 8 KiB", body(USER, metadata={"a": "x" * 8192}), named="metadata"),
    Sent("metadata a list", body(USER, metadata=[]), named="metadata"),
    Sent("key of 201", body(USER, idempotencyKey="x" * 201), named="idempotencyKey"),
    *(
        Sent(f"key {prefix}", body(USER, idempotencyKey=f"{prefix}1"), named="idempotencyKey")
        for prefix in ("daily:", "stripe:", "expiry:", "mana:")
    ),
    Sent("NUL in the description", body(USER, description="a\0b"), named="description"),
    Sent("NUL in the key", body(USER, idempotencyKey="a\0b"), named="idempotencyKey"),
    Sent("NUL in metadata", body(USER, metadata={"a\0": 1}), named="metadata"),
    Sent("a lone surrogate in the description", body(USER, description="\ud800"), named="description"),
    Sent("a lone surrogate in the key", body(USER, idempotencyKey="\udfff"), named="idempotencyKey"),
    Sent("a lone surrogate in metadata", body(USER, metadata={"a": "\ud800"}), named="metadata"),
    Sent("no user_id", GOOD, code="forbidden", properties={"user_id": None}),
    Sent("a past deadline", GOOD, code="deadline_exceeded",
         properties={"headers": {"deadline": "2020-01-01T00:00:00Z"}}),
    Sent("a malformed deadline", GOOD, named="deadline", properties={"headers": {"deadline": "tomorrow"}}),
    Sent("a deadline that is a number", GOOD, named="deadline", properties={"headers": {"deadline": 1_700_000_000}}),
    Sent("a key used for another operation", body(USER, idempotencyKey="open"), code="idempotency_conflict"),
    Sent("of another user", body(OTHER_USER), named="userId"),
]  # fmt: skip


def by_name(case: Sent) -> str:
    return case.name


@pytest.mark.parametrize("case", CASES, ids=by_name)
async def test_each_case_is_answered_kept_where_due_and_the_next_one_served(
    client: Client, opened_user: str, dead: Dead, case: Sent
) -> None:
    correlation_id = str(uuid.uuid4())
    sent = case.body.replace(USER.encode(), opened_user.encode())
    properties = {"type": "credits.use", "correlation_id": correlation_id, **case.properties}
    message = await client.exchange(sent, opened_user, **properties)
    assert (message.type, message.content_type) == ("credits.result", "application/json")
    reply = json.loads(message.body)
    assert reply["ok"] is False
    assert reply["error"]["code"] == case.code
    if case.named is not None:
        assert [problem["field"] for problem in reply["error"]["details"]["errors"]] == [case.named]
    if case.kept:
        copy = await dead.copy(correlation_id)
        assert copy.body == sent
        assert reason(copy) == reply["error"]["message"][:500]
    await spends_next(client, opened_user)
    assert dead.holds(correlation_id) == case.kept


async def test_the_whole_table_of_the_contract_at_once(client: Client, opened_user: str) -> None:
    """All of them are in the queues together, so neighbours in a batch are seen to be unharmed too."""

    async def refused(case: Case) -> tuple[str, Any]:
        fields = body_of(case)
        reply = await client.send(json.dumps(fields).encode(), opened_user, type=case.type)
        return case.name, reply["error"]["details"]["errors"][0]["field"]

    # The table's user is not this one, so what is wrong with the body must be found before the routing key is.
    answers = await asyncio.gather(*(refused(case) for case in INVALID))
    assert dict(answers) == {case.name: case.field for case in INVALID}
    await spends_next(client, opened_user)


async def test_an_unknown_user(client: Client) -> None:
    reply = await client.use(str(uuid.uuid4()))
    assert reply["error"]["code"] == "unknown_user"


async def test_nothing_is_asked_and_a_refusal_becomes_an_event(client: Client, opened_user: str) -> None:
    queue = await client.channel.declare_queue(exclusive=True)
    await queue.bind("credits.events", "credits.refused.#")
    await client.publish(body(opened_user, amount=0), opened_user, type="credits.use")
    async with asyncio.timeout(10):
        while (event := await queue.get(fail=False)) is None or json.loads(event.body)["subject"] != opened_user:
            await asyncio.sleep(0.05)
    told = json.loads(event.body)
    assert event.routing_key == "credits.refused.chat"
    assert told["data"]["idempotencyKey"] == "bad"
    assert told["data"]["error"]["details"]["errors"][0]["field"] == "amount"
    await queue.delete()
    await spends_next(client, opened_user)


HOSTILE = {
    "a command queue": "credits.commands.3",
    "the dead queue": "credits.dead",
    "the log": "credits.events.log",
    "an exchange": "replies|credits.events",
    "one of the broker's": "amq.topic",
    "the bare name": "amq.rabbitmq.reply-to.",
    "no base64": "amq.rabbitmq.reply-to.!!!!.AAAA",
    "no process": f"amq.rabbitmq.reply-to.{base64.b64encode(b'hello').decode()}.{'A' * 22}==",
    "a node of the sender's choice": "amq.rabbitmq.reply-to."
    + base64.b64encode(b"\x83Xv\x00\x0eevil@127.0.0.9" + b"\0\0\0\1" * 3).decode()
    + f".{'A' * 22}==",
    "the right shape": "amq.rabbitmq.reply-to."
    + base64.b64encode(b"\x83Xv\x00\x0ereply@12345678" + struct.pack(">III", 7, 0, 1)).decode()
    + f".{'A' * 22}==",
}


@pytest.mark.checklist(64)
@pytest.mark.parametrize("reply_to", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_reply_address(client: Client, opened_user: str, dead: Dead, reply_to: str) -> None:
    correlation_id = str(uuid.uuid4())
    await client.publish(
        body(opened_user), opened_user, type="credits.use", reply_to=reply_to, correlation_id=correlation_id
    )
    assert reason(await dead.copy(correlation_id)).startswith("reply_to: ")
    await spends_next(client, opened_user)


async def test_a_reply_queue_that_is_gone(client: Client, opened_user: str) -> None:
    """The command is carried out all the same: that its answer finds nobody is the client's affair."""
    queue = await client.channel.declare_queue(exclusive=True)
    await queue.delete()
    await client.publish(body(opened_user), opened_user, type="credits.use", reply_to=queue.name)
    await spends_next(client, opened_user, already=1)


async def test_a_reply_queue_of_the_clients_own(client: Client, opened_user: str) -> None:
    """One that the broker named, as most libraries' tutorials have it."""
    queue = await client.channel.declare_queue(exclusive=True)
    assert queue.name.startswith("amq.gen-")
    await client.publish(body(opened_user), opened_user, type="credits.use", reply_to=queue.name, correlation_id="c")
    async with asyncio.timeout(10):
        while (reply := await queue.get(no_ack=True, fail=False)) is None:
            await asyncio.sleep(0.05)
    assert reply.correlation_id == "c"
    assert json.loads(reply.body)["ok"]
    await queue.delete()


async def test_5_megabytes_are_refused_by_the_broker(client: Client, opened_user: str, instance: Instance) -> None:
    async with Client.connected(instance.env["MANA_AMQP_URL"]) as other:
        with pytest.raises((AMQPError, ConnectionError)):
            await other.publish(b" " * 5_000_000, opened_user, type="credits.use")
    await spends_next(client, opened_user)


@pytest.mark.checklist(64)
async def test_a_false_user_id_is_refused_by_the_broker(client: Client, opened_user: str, instance: Instance) -> None:
    async with Client.connected(instance.env["MANA_AMQP_URL"]) as other:
        with pytest.raises((AMQPError, ConnectionError)):
            await other.publish(body(opened_user), opened_user, type="credits.use", user_id="chat")
    await spends_next(client, opened_user)


class Heard:
    """What became of a message that was sent as bare frames."""

    def __init__(self) -> None:
        self.reply: asyncio.Future[tuple[bytes, bytes]] = asyncio.get_running_loop().create_future()

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        self.reply.set_result((correlation_id, body))

    def refused(self, correlation_id: bytes) -> None:
        self.reply.set_exception(AssertionError(f"nacked: {correlation_id!r}"))

    def unroutable(self, correlation_id: bytes) -> None:
        self.reply.set_exception(AssertionError(f"returned: {correlation_id!r}"))

    def lost(self, error: BrokerError) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)


async def exchange_spoilt(instance: Instance, routing_key: bytes, sent: bytes, **spoilt: bytes) -> dict[str, Any]:
    """Sends a command with some properties as these bytes, and answers the reply's body."""
    heard = Heard()
    sender = await connect(instance.env["MANA_AMQP_URL"], heard)
    properties = {
        "type": text(b"credits.use"),
        "user_id": text(b"mana-admin"),
        "reply_to": text(b"amq.rabbitmq.reply-to"),
        **spoilt,
    }
    try:
        sender.publish(Spoilt(properties), routing_key, str(uuid.uuid4()).encode(), sent)
        async with asyncio.timeout(10):
            return json.loads((await heard.reply)[1])
    finally:
        await sender.close()


NO_UTF_8 = b"\xff\xfe\xc3"


def deep_table(levels: int) -> bytes:
    """Fields that hold a table that holds a table …"""
    fields = b""
    for _ in range(levels):
        fields = header(b"a", b"F", header_table(fields))
    return fields


def large_headers(size: int) -> bytes:
    """Of one field, and with its table so many bytes in all."""
    return header_table(header(b"a", b"S", struct.pack(">I", size - 11) + b"x" * (size - 11)))


FULL = FRAME_MAX - 96
"""Of headers, in bytes: with the other properties that are sent here, the last that RabbitMQ takes in one frame."""

SPOILT: dict[str, dict[str, bytes]] = {
    "type": {"type": text(NO_UTF_8)},
    "correlation_id": {"correlation_id": text(NO_UTF_8)},
    "255 bytes of correlation_id": {"correlation_id": text(b"\xff" * 255)},
    "message_id": {"message_id": text(NO_UTF_8)},
    "NUL in message_id": {"message_id": text(b"a\0b")},
    "NUL in correlation_id": {"correlation_id": text(b"a\0b")},
    "content_encoding": {"content_encoding": text(NO_UTF_8)},
    "deadline": {"headers": header_table(header(b"deadline", b"S", struct.pack(">I", 3) + NO_UTF_8))},
    "deadline a table": {"headers": header_table(header(b"deadline", b"F", header_table(b"")))},
    "a timestamp of 2^62": {"timestamp": (2**62).to_bytes(8, "big")},
}
HARMLESS: dict[str, dict[str, bytes]] = {
    "content_type": {"content_type": text(b"text/plain")},
    "app_id": {"app_id": text(b"another")},
    "traceparent": {"headers": header_table(header(b"traceparent", b"S", struct.pack(">I", 3) + b"xyz"))},
    "headers deep down": {"headers": header_table(deep_table(2_000))},
    "headers that fill the frame": {"headers": large_headers(FULL)},
    "an early timestamp": {"timestamp": (0).to_bytes(8, "big")},
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
async def test_properties_of_any_bytes(
    client: Client, opened_user: str, instance: Instance, spoilt: dict[str, bytes]
) -> None:
    reply = await exchange_spoilt(instance, opened_user.encode(), body(opened_user), **spoilt)
    assert reply["error"]["code"] == "invalid_request"
    await spends_next(client, opened_user)


@pytest.mark.parametrize("spoilt", HARMLESS.values(), ids=HARMLESS)
async def test_properties_that_do_not_matter(
    client: Client, opened_user: str, instance: Instance, spoilt: dict[str, bytes]
) -> None:
    reply = await exchange_spoilt(instance, opened_user.encode(), body(opened_user), **spoilt)
    assert reply["ok"], reply
    await spends_next(client, opened_user, already=1)


async def test_headers_that_no_frame_holds_end_their_senders_connection(
    client: Client, opened_user: str, instance: Instance
) -> None:
    with pytest.raises(BrokerError):
        await exchange_spoilt(instance, opened_user.encode(), body(opened_user), headers=large_headers(FULL + 1))
    await spends_next(client, opened_user)


async def test_a_routing_key_of_any_bytes(client: Client, opened_user: str, instance: Instance) -> None:
    reply = await exchange_spoilt(instance, NO_UTF_8, body(opened_user))
    assert reply["error"]["code"] == "invalid_request"
    await spends_next(client, opened_user)


async def test_a_reply_address_of_any_bytes(client: Client, opened_user: str, instance: Instance, dead: Dead) -> None:
    correlation_id = str(uuid.uuid4())
    sender = await connect(instance.env["MANA_AMQP_URL"], Heard())
    properties = {
        "type": text(b"credits.use"),
        "user_id": text(b"mana-admin"),
        "reply_to": text(NO_UTF_8),
        "correlation_id": text(correlation_id.encode()),
    }
    sender.publish(Spoilt(properties), opened_user.encode(), b"", body(opened_user))
    assert reason(await dead.copy(correlation_id)).startswith("reply_to: ")
    await sender.close()
    await spends_next(client, opened_user)


async def test_past_the_exchange(client: Client, opened_user: str) -> None:
    """The administrator may publish straight into a queue; the routing key is not the user's then."""
    message = aio_pika.Message(body(opened_user), type="credits.use", user_id=client.login)
    await client.channel.default_exchange.publish(message, f"{EXCHANGE}.0")
    await spends_next(client, opened_user)
