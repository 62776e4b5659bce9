"""Our client before a real broker: logins, TLS, what is taken away, refused or given back, and silence."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from cryptography.hazmat.primitives import serialization
from pamqp.common import Arguments

from contracts.replies import CONTENT_TYPE, REPLY_TYPE
from ops.instance import Instance
from tests.faults.tools.broker import Broker
from tests.faults.tools.proxy import Proxy
from tests.integration.workers.tls import Authority, encrypted
from workers.broker import control
from workers.broker.consumer import Consumer, Delivery, Reply
from workers.broker.errors import BrokerLostError
from workers.broker.frames import PERSISTENT, properties
from workers.broker.link import Link
from workers.broker.publisher import Publication, Publisher, Verdict
from workers.broker.wire import FRAME_MAX


class Inbox:
    """Deliveries as they come; :meth:`has` waits for so many."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self._news = asyncio.Event()

    def take(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        self._news.set()

    async def has(self, number: int) -> list[Delivery]:
        while len(self.deliveries) < number:
            self._news.clear()
            await self._news.wait()
        return self.deliveries


@pytest.fixture
async def other(servers: Instance) -> AsyncGenerator[AbstractChannel]:
    """Somebody else's channel, on the common library; exclusive queues end with it."""
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        yield await connection.channel()


@pytest.fixture
async def link(servers: Instance) -> AsyncGenerator[Link]:
    """A link of the administrator."""
    opened = await Link.open(servers.addresses.amqp, "test")
    yield opened
    await opened.close()


async def _queue(channel: AbstractChannel, **arguments: str | int) -> AbstractQueue:
    """One that goes by itself when nobody has used it for a while: two connections use it, and it may be empty."""
    given: Arguments = {"x-expires": 120_000, **arguments}
    return await channel.declare_queue(f"test-{uuid4()}", arguments=given)


def _publication(queue: str, body: bytes = b"{}", *, mandatory: bool = True) -> Publication:
    message_id = uuid4().hex
    header = properties(message_id=message_id, delivery_mode=PERSISTENT)
    return Publication("", queue, message_id, header, body, mandatory)


def _sent(publisher: Publisher, message: Publication) -> asyncio.Future[Verdict]:
    verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    publisher.publish(message, verdict.set_result)
    return verdict


async def _round(url: str, queue: str) -> None:
    """Something large goes through the queue, and comes back whole."""
    link = await Link.open(url, "test")
    try:
        inbox, body = Inbox(), bytes(range(256)) * 2_000
        consumer = await Consumer.open(link, inbox.take)
        await consumer.subscribe(queue, 32)
        assert await _sent(await Publisher.open(link), _publication(queue, body)) is Verdict.CONFIRMED
        (delivery,) = await inbox.has(1)
        assert delivery.body == body
        consumer.ack(delivery.tag)
        await consumer.close()
    finally:
        await link.close()


# Who comes in


async def test_a_message_larger_than_a_frame(servers: Instance, other: AbstractChannel) -> None:
    assert FRAME_MAX < 256 * 2_000
    await _round(servers.addresses.amqp, (await _queue(other)).name)


async def test_who_the_broker_is(link: Link) -> None:
    assert link.server_version[0].isdigit()
    assert link.server_platform.startswith("Erlang")


async def test_a_false_password_is_told(servers: Instance) -> None:
    parts = urlsplit(servers.addresses.amqp)
    false = urlunsplit(parts._replace(netloc=f"{parts.username}:false@{parts.hostname}:{parts.port}"))
    with pytest.raises(BrokerLostError, match="403 ACCESS_REFUSED"):
        await Link.open(false, "test")


async def test_an_unknown_virtual_host_is_told(servers: Instance) -> None:
    parts = urlsplit(servers.addresses.amqp)
    with pytest.raises(BrokerLostError, match="530 NOT_ALLOWED"):
        await Link.open(urlunsplit(parts._replace(path="/no%2Fsuch")), "test")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"AMQP\x00\x01\x00\x00"])
async def test_who_speaks_another_protocol_is_told(answer: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(BrokerLostError, match="no AMQP 0-9-1"):
        await Link.open(f"amqp://127.0.0.1:{port}", "test")
    server.close()


async def test_nobody_there_is_told(servers: Instance) -> None:
    async with Proxy.before(servers.addresses.amqp) as proxy:
        await proxy.refuse()
        with pytest.raises(BrokerLostError, match="ConnectionRefusedError"):
            await Link.open(proxy.url(servers.addresses.amqp), "test")


async def test_no_address_is_no_lost_broker() -> None:
    with pytest.raises(ValueError, match="amqp://"):
        await Link.open("http://localhost", "test")


# TLS


async def test_tls(servers: Instance, other: AbstractChannel, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    queue = await _queue(other)
    der = b64encode(authority.certificate.public_bytes(serialization.Encoding.DER)).decode().replace("+", "%2B")
    async with encrypted(servers.addresses.amqp, authority.sign("127.0.0.1")) as url:
        for options in (f"cafile={authority.file}", f"cadata={der}", "no_verify_ssl=1"):
            await _round(f"{url}?{options}&heartbeat=60", queue.name)
        with pytest.raises(BrokerLostError, match="CERTIFICATE_VERIFY_FAILED"):
            await Link.open(url, "test")
        with pytest.raises(BrokerLostError, match="FileNotFoundError"):
            await Link.open(f"{url}?cafile={tmp_path}/missing.pem", "test")


async def test_a_certificate_for_somebody_else(servers: Instance, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with encrypted(servers.addresses.amqp, authority.sign("broker.example")) as url:
        with pytest.raises(BrokerLostError, match="CERTIFICATE_VERIFY_FAILED"):
            await Link.open(f"{url}?cafile={authority.file}", "test")


async def test_a_certificate_of_our_own(servers: Instance, other: AbstractChannel, tmp_path: Path) -> None:
    authority, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    mine, queue = clients.sign("worker"), await _queue(other)
    async with encrypted(servers.addresses.amqp, authority.sign("127.0.0.1"), clients=clients) as url:
        trusting = f"{url}?cafile={authority.file}"
        await _round(f"{trusting}&certfile={mine.certificate}&keyfile={mine.key}", queue.name)
        with pytest.raises(BrokerLostError):
            await Link.open(trusting, "test")


# What the broker takes away


async def test_a_deleted_queue_is_a_lost_consumer(link: Link, other: AbstractChannel) -> None:
    queue = await _queue(other)
    consumer = await Consumer.open(link, Inbox().take)
    await consumer.subscribe(queue.name, 32)
    await queue.delete(if_unused=False, if_empty=False)
    await consumer.lost.wait()
    assert "cancelled" in consumer.reason
    await consumer.close()
    assert not link.lost.is_set()


async def test_a_missing_queue_costs_one_channel(link: Link, other: AbstractChannel) -> None:
    publisher = await Publisher.open(link)
    consumer = await Consumer.open(link, Inbox().take)
    with pytest.raises(BrokerLostError, match="404 NOT_FOUND"):
        await consumer.subscribe("no-such-queue", 32)
    assert consumer.lost.is_set()
    await consumer.close()
    assert await _sent(publisher, _publication((await _queue(other)).name)) is Verdict.CONFIRMED


async def test_an_error_costs_one_channel(link: Link, other: AbstractChannel) -> None:
    publisher, queue = await Publisher.open(link), await _queue(other)
    consumer = await Consumer.open(link, Inbox().take)
    await consumer.subscribe(queue.name, 32)
    consumer.ack(99)
    await consumer.lost.wait()
    assert "PRECONDITION_FAILED" in consumer.reason
    await consumer.close()
    assert await _sent(publisher, _publication((await _queue(other)).name)) is Verdict.CONFIRMED


@pytest.mark.own_servers
async def test_all_connections_are_closed(servers: Instance, other: AbstractChannel) -> None:
    queue = await _queue(other)
    link = await Link.open(servers.addresses.amqp, "test")
    consumer, publisher = await Consumer.open(link, Inbox().take), await Publisher.open(link)
    await consumer.subscribe(queue.name, 32)
    await Broker(servers).close_all_connections()
    await link.lost.wait()
    assert "320 CONNECTION_FORCED" in link.reason
    assert consumer.lost.is_set()
    assert await _sent(publisher, _publication(queue.name)) is Verdict.LOST
    await consumer.close()
    await link.close()


# What it refuses and gives back


async def test_what_no_queue_takes_comes_back(link: Link) -> None:
    publisher = await Publisher.open(link)
    nowhere = _sent(publisher, _publication("no-such-queue", b"x" * 300_000))
    dropped = _sent(publisher, _publication("no-such-queue", mandatory=False))
    assert [await nowhere, await dropped] == [Verdict.UNROUTABLE, Verdict.CONFIRMED]


async def test_what_a_full_queue_does_not_take(link: Link, other: AbstractChannel) -> None:
    queue = await _queue(other, **{"x-max-length": 1, "x-overflow": "reject-publish"})
    publisher = await Publisher.open(link)
    verdicts = [await sent for sent in [_sent(publisher, _publication(queue.name)) for _ in range(10)]]
    assert verdicts == [Verdict.CONFIRMED] + [Verdict.REFUSED] * 9


async def test_what_was_not_acknowledged_comes_again_in_order(link: Link, other: AbstractChannel) -> None:
    queue = await other.declare_queue(f"test-{uuid4()}", durable=True, arguments={"x-queue-type": "quorum"})
    publisher = await Publisher.open(link)
    for number in range(6):
        assert await _sent(publisher, _publication(queue.name, b"%d" % number)) is Verdict.CONFIRMED
    first = await Consumer.open(link, (before := Inbox()).take)
    await first.subscribe(queue.name, 32)
    first.ack((await before.has(6))[1].tag)
    await first.close()
    second = await Consumer.open(link, (after := Inbox()).take)
    await second.subscribe(queue.name, 32)
    again = await after.has(4)
    assert [delivery.body for delivery in again] == [b"2", b"3", b"4", b"5"]
    assert {(delivery.returns, delivery.envelope.redelivered) for delivery in again} == {(1, True)}
    await second.close()
    await queue.delete(if_unused=False, if_empty=False)


async def test_deliveries_are_answered_and_acknowledged(link: Link, other: AbstractChannel) -> None:
    queue, replies = await _queue(other), await _queue(other)
    answers: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    await replies.consume(answers.put, no_ack=True)
    consumer = await Consumer.open(link, (inbox := Inbox()).take)
    await consumer.subscribe(queue.name, 32)
    for number in range(3):
        message = aio_pika.Message(b"?", correlation_id=str(number), reply_to=replies.name)
        await other.default_exchange.publish(message, queue.name)
    deliveries = await inbox.has(3)
    consumer.answer(
        consumer.frame(Reply(replies.name, delivery.envelope.correlation_id or "", {"traceparent": "t"}, b"{}"))
        for delivery in deliveries
    )
    consumer.ack(deliveries[-1].tag)
    for number in range(3):
        reply = await answers.get()
        assert (reply.correlation_id, reply.type, reply.content_type) == (str(number), REPLY_TYPE, CONTENT_TYPE)
        assert (reply.headers, reply.body) == ({"traceparent": "t"}, b"{}")
    await consumer.close()
    assert await queue.get(fail=False) is None


# Silence


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats each second, so that silence is noticed after about 3."""
    channels, frame_max, _ = control.OURS
    monkeypatch.setattr(control, "OURS", (channels, frame_max, 1))


@pytest.mark.usefixtures("_quick")
async def test_a_quiet_connection_stays(link: Link, other: AbstractChannel) -> None:
    await asyncio.sleep(5)
    assert not link.lost.is_set()
    assert await _sent(await Publisher.open(link), _publication((await _queue(other)).name)) is Verdict.CONFIRMED


@pytest.mark.usefixtures("_quick")
async def test_a_frozen_connection_is_given_up(servers: Instance, other: AbstractChannel) -> None:
    queue = await _queue(other)
    async with Proxy.before(servers.addresses.amqp) as proxy:
        link = await Link.open(proxy.url(servers.addresses.amqp), "test")
        consumer, publisher = await Consumer.open(link, Inbox().take), await Publisher.open(link)
        proxy.freeze()
        subscribing = asyncio.create_task(consumer.subscribe(queue.name, 32))
        verdict = _sent(publisher, _publication(queue.name))
        await link.lost.wait()
        assert link.reason == "the broker was silent for 2 s"
        assert await verdict is Verdict.LOST
        with pytest.raises(BrokerLostError, match="silent"):
            await subscribing
        await consumer.close()
        await link.close()


@pytest.mark.usefixtures("_quick")
@pytest.mark.own_servers
async def test_a_blocked_broker_is_waited_for_and_hears_no_goodbye(
    servers: Instance, link: Link, other: AbstractChannel
) -> None:
    queue, publisher = await _queue(other), await Publisher.open(link)
    leaving = await Link.open(servers.addresses.amqp, "test")
    left = await Publisher.open(leaving)
    async with Broker(servers).disk_alarm():
        verdict, lost = _sent(publisher, _publication(queue.name)), _sent(left, _publication(queue.name))
        while not (link.blocked and leaving.blocked):
            await asyncio.sleep(0.05)
        await leaving.close()
        assert "without a goodbye" in leaving.reason
        assert await lost is Verdict.LOST
        await asyncio.sleep(2)
        assert not link.lost.is_set()
        assert not verdict.done()
    assert await verdict is Verdict.CONFIRMED
    assert not link.blocked


async def test_who_does_not_read_gets_no_more_than_the_prefetch_answered(
    servers: Instance, other: AbstractChannel
) -> None:
    """So what waits to be sent is bounded: without acks no more deliveries come."""
    queue, replies = await _queue(other), await _queue(other)
    async with Proxy.before(servers.addresses.amqp) as proxy:
        link = await Link.open(proxy.url(servers.addresses.amqp), "test")
        inbox = Inbox()

        def answer(delivery: Delivery) -> None:
            inbox.take(delivery)
            consumer.answer([consumer.frame(Reply(replies.name, "c", None, bytes(20_000)))])
            consumer.ack(delivery.tag)

        consumer = await Consumer.open(link, answer)
        await consumer.subscribe(queue.name, 8)
        proxy.freeze("up")
        for _ in range(100):
            await other.default_exchange.publish(aio_pika.Message(b"?"), queue.name)
        await inbox.has(8)
        await asyncio.sleep(1)
        assert len(inbox.deliveries) == 8
        proxy.thaw("up")
        await inbox.has(100)
        await link.close()


@pytest.mark.parametrize("size", [1, 7])
async def test_bytes_in_small_pieces(servers: Instance, other: AbstractChannel, size: int) -> None:
    queue = await _queue(other)
    async with Proxy.before(servers.addresses.amqp) as proxy:
        link = await Link.open(proxy.url(servers.addresses.amqp), "test")
        consumer = await Consumer.open(link, (inbox := Inbox()).take)
        await consumer.subscribe(queue.name, 32)
        proxy.slice(size)
        bodies = [b"%d" % number * (number + 1) for number in range(8)]
        for body in bodies:
            await other.default_exchange.publish(aio_pika.Message(body, correlation_id="c"), queue.name)
        assert [delivery.body for delivery in await inbox.has(8)] == bodies
        assert await _sent(await Publisher.open(link), _publication(queue.name)) is Verdict.CONFIRMED
        await link.close()
