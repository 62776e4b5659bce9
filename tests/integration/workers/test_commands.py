"""A command's way through a worker: reply, row, event; repeats, refusals, and what is no command at all."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from typing import Any

import aio_pika
import asyncpg
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from contracts.topology import COMMANDS_EXCHANGE, WORKER_LOGIN
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.events import Subscriber
from tests.integration.workers.running import Running
from workers.broker.channel import Listener
from workers.broker.consumer import Reply
from workers.broker.fields import short
from workers.broker.late import LateReplies
from workers.broker.link import Link

pytestmark = pytest.mark.usefixtures("worker")


async def _dead(client: Client) -> tuple[dict[str, Any], bytes]:
    """The next dead copy: its headers and body."""
    queue = await client.dead()
    async with asyncio.timeout(10):
        while (message := await queue.get(fail=False)) is None:
            await asyncio.sleep(0.05)
    await message.ack()
    return dict(message.headers), message.body


async def test_a_use_is_answered_written_and_told(
    client: Client, events: Subscriber, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"userId": user, "amount": 3, "appId": "chat", "description": "GPT answer", "idempotencyKey": "req-81"}
    message = await client.exchange(
        json.dumps(body).encode(), user, type="credits.use", headers={"traceparent": traceparent}
    )
    reply = json.loads(message.body)
    assert reply["ok"] is True
    assert (reply["transaction"]["amount"], reply["transaction"]["balanceAfter"]) == (-3, 147)
    assert (message.type, message.content_type) == ("credits.result", "application/json")
    assert message.headers["traceparent"] == traceparent
    row = await owner.fetchrow("SELECT id, amount FROM credits.transactions WHERE idempotency_key = 'req-81'")
    assert row is not None
    assert (str(row["id"]), row["amount"]) == (reply["transaction"]["id"], -3)
    opened, used = await events.has(user, 2)
    assert (opened["type"], used["type"], used["sequence"]) == ("credits.granted", "credits.used", 2)
    assert used["data"] == {"transaction": reply["transaction"], "balance": reply["balance"]}
    assert used["traceparent"] == traceparent
    assert "credits.used.chat" in events.keys
    assert "credits.granted.system" in events.keys


async def test_credits_that_run_low_are_told_once_for_each_crossing(client: Client, events: Subscriber) -> None:
    user = await client.open_user()
    for below in (100, 149):
        answer = await client.call("account.threshold", user, below=below, idempotencyKey=f"below {below}")
        assert (answer["ok"], answer["transaction"]) == (True, None)
    again = await client.call("account.threshold", user, below=149, idempotencyKey="below 149")
    other = await client.call("account.threshold", user, below=150, idempotencyKey="below 149")
    assert (again["replayed"], other["error"]["code"]) == (True, "idempotency_conflict")
    used = [await client.use(user, 1) for _ in range(3)]
    usage = used[2]["transaction"]["id"]
    await client.call("credits.refund", user, transactionId=usage, idempotencyKey="back")
    await client.call("credits.adjust", user, amount=-1, description="d", reason="r", idempotencyKey="down")
    await client.call("credits.adjust", user, amount=2, description="d", reason="r", idempotencyKey="up")
    await client.call("credits.adjust", user, amount=-2, description="d", reason="r", idempotencyKey="down again")
    told = await events.has(user, 10)
    kinds = "granted used used low used refunded adjusted adjusted adjusted low"
    assert [event["type"].removeprefix("credits.") for event in told] == kinds.split()
    first, second = (event for event in told if event["type"] == "credits.low")
    assert first["data"] == {
        "threshold": 149,
        "transactionId": used[1]["transaction"]["id"],
        "balance": used[1]["balance"],
    }
    assert "sequence" not in first
    assert second["data"]["transactionId"] == told[-2]["id"]
    assert {"credits.low.chat", "credits.low.system"} <= set(events.keys)


@pytest.mark.checklist(65)
async def test_a_repeat_gets_the_first_answer_and_no_event(client: Client, events: Subscriber) -> None:
    user = await client.open_user()
    first = await client.use(user, idempotencyKey="k")
    second = await client.use(user, idempotencyKey="k")
    assert second == {**first, "replayed": True}
    await client.use(user, idempotencyKey="l")
    assert [event["sequence"] for event in await events.has(user, 3)] == [1, 2, 3]


async def test_a_refusal_is_kept_for_the_same_message_only(client: Client) -> None:
    user = await client.open_user()
    body = json.dumps(
        {"userId": user, "amount": 200, "appId": "chat", "description": "d", "idempotencyKey": "k"}
    ).encode()
    refused = await client.send(body, user, type="credits.use", message_id="same")
    assert refused["error"]["code"] == "insufficient_credits"
    await client.call("credits.grant", user, amount=100, description="d", source="bonus", idempotencyKey="g")
    assert await client.send(body, user, type="credits.use", message_id="same") == refused
    assert (await client.send(body, user, type="credits.use", message_id="another"))["ok"] is True


async def test_a_refusal_without_a_reply_address_is_an_event(client: Client, events: Subscriber) -> None:
    user = await client.open_user()
    body = {"userId": user, "amount": 999, "appId": "chat", "description": "d", "idempotencyKey": "k"}
    await client.publish(json.dumps(body).encode(), user, type="credits.use", message_id="m")
    await client.publish(json.dumps({**body, "amount": 0}).encode(), user, type="credits.use", message_id="n")
    refusals = (await events.has(user, 3))[1:]
    assert [refusal["type"] for refusal in refusals] == ["credits.refused"] * 2
    assert {refusal["data"]["error"]["code"] for refusal in refusals} == {"insufficient_credits", "invalid_request"}
    assert {refusal["data"]["idempotencyKey"] for refusal in refusals} == {"k"}


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        (b"", "credits.use"),
        (b"not json", "credits.use"),
        (b"[1]", "credits.use"),
        (b'{"a": NaN}', "credits.use"),
        (b"\xff\xfe", "credits.use"),
        (b"[" * 30_000 + b"]" * 30_000, "credits.use"),
        (b"{}", "credits.nothing"),
        (b"{}", None),
        (b'{"a": "' + b"x" * 100_000 + b'"}', "credits.use"),
    ],
)
async def test_what_cannot_be_read_is_answered_and_kept(client: Client, body: bytes, type_: str | None) -> None:
    user = await client.open_user()
    reply = await client.send(body, user, type=type_)
    assert reply["error"]["code"] == "invalid_request"
    headers, copy = await _dead(client)
    assert copy == body
    assert headers["reason"]
    assert (headers["routing-key"], headers["login"]) == (user, client.login)
    assert (await client.use(user))["ok"] is True


async def test_half_a_megabyte_is_kept_whole(client: Client) -> None:
    user = await client.open_user()
    body = b"x" * 500_000
    assert (await client.send(body, user, type="credits.use"))["error"]["code"] == "invalid_request"
    assert (await _dead(client))[1] == body


@pytest.mark.checklist(64)
async def test_without_a_proven_login_it_is_forbidden(client: Client) -> None:
    user = await client.open_user()
    body = {"userId": user, "amount": 1, "appId": "chat", "description": "d", "idempotencyKey": "k"}
    reply = await client.send(json.dumps(body).encode(), user, type="credits.use", user_id=None)
    assert reply["error"]["code"] == "forbidden"


@pytest.mark.checklist(64)
@pytest.mark.parametrize(
    "reply_to",
    ["credits.commands.0", "credits.dead", "q|exchange", "amq.rabbitmq.reply-to.forged", "amq.topic", "stripe.events"],
)
async def test_a_hostile_reply_address_is_not_obeyed(client: Client, reply_to: str) -> None:
    user = await client.open_user()
    body = {"userId": user, "amount": 1, "appId": "chat", "description": "d", "idempotencyKey": "k"}
    await client.publish(json.dumps(body).encode(), user, type="credits.use", reply_to=reply_to)
    headers, copy = await _dead(client)
    assert json.loads(copy) == body
    assert headers["reply-to"] == reply_to
    assert (await client.call("credits.balance", user))["balance"]["freeCreditsRemaining"] == 150


async def test_a_reply_queue_that_is_gone_harms_nobody(client: Client, owner: asyncpg.Connection) -> None:
    user = await client.open_user()
    body = {"userId": user, "amount": 1, "appId": "chat", "description": "d", "idempotencyKey": "gone"}
    await client.publish(json.dumps(body).encode(), user, type="credits.use", reply_to="there.is.no.such.queue")
    assert (await client.use(user))["transaction"]["sequence"] == 3
    assert (
        await owner.fetchval(
            "SELECT count(*) FROM credits.transactions WHERE account_id = $1 AND type = 'usage'", uuid.UUID(user)
        )
        == 2
    )


_DAMAGED = {
    "type": (1 << 5, b"\x02\xff\xfe"),
    "correlation_id": (1 << 10 | 1 << 5, b"\x02\xff\xfe" + short("credits.use")),
    "reply_to": (1 << 9 | 1 << 5, b"\x02\xff\xfe" + short("credits.use")),
    "message_id": (1 << 7 | 1 << 5, b"\x02\xff\xfe" + short("credits.use")),
    "timestamp": (1 << 6 | 1 << 5, (2**62).to_bytes(8, "big") + short("credits.use")),
}


@pytest.mark.parametrize("name", [*_DAMAGED, "routing_key"])
async def test_damaged_properties_are_an_ordinary_invalid_request(
    client: Client, servers: Instance, worker: Running, name: str
) -> None:
    user = await client.open_user()
    flags, content = _DAMAGED.get(name, (1 << 5, short("credits.use")))
    body = json.dumps({"userId": user, "damaged": name}).encode()
    routing_key = user if name != "routing_key" else "?"
    link = await Link.open(servers.addresses.amqp, "a hostile client")
    channel = await link.channel(Listener())
    written = channel.framer.publish(
        COMMANDS_EXCHANGE, routing_key, flags.to_bytes(2, "big") + content, body, mandatory=False
    )
    channel.write(written if name != "routing_key" else written.replace(b"\x01?\x00", b"\x01\xff\x00"))
    headers, copy = await _dead(client)
    assert copy == body
    assert name in headers["reason"] or name == "type"
    await link.close()
    assert (await client.use(user))["ok"] is True
    assert (await worker.health())["status"] == "ready"


async def test_a_token_of_nobody_harms_nobody(client: Client, worker: Running) -> None:
    """One that has the broker's own shape, but was given to another consumer than it names."""
    replies = await client.channel.declare_queue("test.tokens", auto_delete=True, exclusive=True)
    message = aio_pika.Message(b"", reply_to="amq.rabbitmq.reply-to")
    await client.channel.default_exchange.publish(message, replies.name)
    shown = await replies.get(no_ack=True)
    assert shown.reply_to is not None
    stranger, _, _ = shown.reply_to.rpartition(".")
    user = await client.open_user()
    body = {"userId": user, "amount": 1, "appId": "chat", "description": "d", "idempotencyKey": "stranger"}
    forged = f"{stranger}.{base64.b64encode(bytes(16)).decode()}"
    await client.publish(json.dumps(body).encode(), user, type="credits.use", reply_to=forged)
    assert (await client.call("credits.balance", user))["balance"]["totalSpent"] == 1
    assert (await worker.health())["status"] == "ready"


async def test_a_late_reply_leaves_on_a_connection_of_its_own(client: Client, servers: Instance) -> None:
    replies = await client.channel.declare_queue("test.late", auto_delete=True, exclusive=True)
    lost: list[None] = []
    late = LateReplies(servers.addresses.amqp_as(WORKER_LOGIN), lambda: lost.append(None))
    sending = asyncio.create_task(late.run())
    late.send_later(Reply("no.such.queue", "", None, b"{}"))
    late.send_later(Reply(replies.name, "c", {"traceparent": "t"}, b'{"ok":true}'))
    message = await _first(replies)
    assert (message.body, message.correlation_id, message.type) == (b'{"ok":true}', "c", "credits.result")
    assert (message.content_type, message.headers["traceparent"]) == ("application/json", "t")
    assert lost == []
    sending.cancel()
    await asyncio.wait({sending})
    await late.stop()


async def _first(queue: AbstractQueue) -> AbstractIncomingMessage:
    async with asyncio.timeout(10):
        while (message := await queue.get(fail=False, no_ack=True)) is None:
            await asyncio.sleep(0.05)
        return message
