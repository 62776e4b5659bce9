"""The load generator's own AMQP client, against a real broker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from urllib.parse import quote, urlsplit, urlunsplit

import aio_pika
import httpx
import pytest
from aio_pika.abc import AbstractChannel
from pamqp.common import Arguments

from bench.frames import BrokerError, Client, Template, connect
from ops.instance import Instance

pytestmark = pytest.mark.timeout(30)


class Heard:
    """Notes what the client tells."""

    def __init__(self) -> None:
        self.answers: dict[bytes, bytes] = {}
        self.nacked: list[bytes] = []
        self.returned: list[bytes] = []
        self.errors: list[BrokerError] = []
        self._news = asyncio.Event()

    def answered(self, correlation_id: bytes, body: bytes) -> None:
        self.answers[correlation_id] = body
        self._news.set()

    def refused(self, correlation_id: bytes) -> None:
        self.nacked.append(correlation_id)
        self._news.set()

    def unroutable(self, correlation_id: bytes) -> None:
        self.returned.append(correlation_id)
        self._news.set()

    def lost(self, error: BrokerError) -> None:
        self.errors.append(error)
        self._news.set()

    async def until(self, met: Callable[[], object]) -> None:
        """Waits; the test's own time is the limit."""
        while not met():
            self._news.clear()
            await self._news.wait()


def _url(instance: Instance, *, password: str | None = None) -> str:
    parts = urlsplit(instance.env["MANA_AMQP_URL"])
    given = parts.password if password is None else password
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{given}@{parts.hostname}:{parts.port}"))


def _login(instance: Instance) -> str:
    return urlsplit(instance.env["MANA_AMQP_URL"]).username or ""


async def test_commands_are_confirmed_and_answered(instance: Instance, opened_user: str) -> None:
    heard = Heard()
    client = await connect(_url(instance), heard)
    template = Template("credits.commands", "credits.balance", _login(instance))
    for number in range(100):
        client.publish(template, opened_user.encode(), b"%d" % number, b'{"userId":"%b"}' % opened_user.encode())
    await heard.until(lambda: len(heard.answers) == 100 and client.unconfirmed == 0)
    assert all(b'"ok":true' in body for body in heard.answers.values())
    await client.close()
    assert (heard.nacked, heard.returned, heard.errors) == ([], [], [])


async def test_what_no_queue_takes_comes_back(instance: Instance) -> None:
    heard = Heard()
    client = await connect(_url(instance), heard)
    client.publish(Template("", "x", _login(instance)), b"no-such-queue", b"7", b"body")
    await heard.until(lambda: heard.returned and client.unconfirmed == 0)
    assert heard.returned == [b"7"]
    await client.close()


@pytest.fixture
async def channel(instance: Instance) -> AsyncGenerator[AbstractChannel]:
    """Of a connection of its own; exclusive queues end with it."""
    async with await aio_pika.connect(instance.env["MANA_AMQP_URL"]) as connection:
        yield await connection.channel()


async def test_what_a_full_queue_refuses_is_told(instance: Instance, channel: AbstractChannel) -> None:
    arguments: Arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    queue = await channel.declare_queue(f"test-{uuid.uuid4()}", exclusive=True, arguments=arguments)
    heard = Heard()
    publisher = await connect(_url(instance), heard)
    template = Template("", "x", _login(instance))
    for number in range(10):
        publisher.publish(template, queue.name.encode(), b"%d" % number, b"body")
    await heard.until(lambda: publisher.unconfirmed == 0)
    assert heard.nacked == [b"%d" % number for number in range(1, 10)]
    await publisher.close()


async def test_long_and_empty_answers_are_put_together(instance: Instance, channel: AbstractChannel) -> None:
    queue = await channel.declare_queue(f"test-{uuid.uuid4()}", exclusive=True)
    heard = Heard()
    asker = await connect(_url(instance), heard)
    template = Template("", "x", _login(instance))
    for correlation_id in (b"long", b"empty"):
        asker.publish(template, queue.name.encode(), correlation_id, b"?")
    bodies = {"long": bytes(range(256)) * 2_000, "empty": b""}
    for _ in bodies:
        while (request := await queue.get(no_ack=True, fail=False)) is None:
            await asyncio.sleep(0.01)
        assert request.reply_to
        assert request.correlation_id
        message = aio_pika.Message(bodies[request.correlation_id], correlation_id=request.correlation_id)
        await channel.default_exchange.publish(message, request.reply_to, mandatory=False)
    await heard.until(lambda: len(heard.answers) == 2)
    assert heard.answers == {b"long": bodies["long"], b"empty": b""}
    await asker.close()


async def test_a_false_login_is_told(instance: Instance) -> None:
    with pytest.raises(BrokerError, match="ACCESS_REFUSED"):
        await connect(_url(instance, password="wrong"), Heard())


async def test_a_false_user_id_ends_the_connection(instance: Instance) -> None:
    heard = Heard()
    client = await connect(_url(instance), heard)
    client.publish(Template("credits.commands", "x", "somebody-else"), b"key", b"1", b"{}")
    await heard.until(lambda: heard.errors)
    assert "PRECONDITION_FAILED" in str(heard.errors[0])
    await client.close()


async def test_a_connection_that_the_broker_closes_is_told(instance: Instance) -> None:
    heard = Heard()
    client = await connect(_url(instance), heard)
    await _close_connection(instance, client)
    await heard.until(lambda: heard.errors)
    assert "CONNECTION_FORCED" in str(heard.errors[0])
    client.publish(Template("", "x", _login(instance)), b"key", b"1", b"lost without a sound")
    await client.close()


@pytest.mark.timeout(60)
async def test_heartbeats_keep_a_silent_connection(instance: Instance) -> None:
    """The broker gives up who was silent for two to three intervals; four seconds each, as a busy machine is late."""
    heard = Heard()
    client = await connect(_url(instance), heard, heartbeat=4)
    await asyncio.sleep(13)
    assert heard.errors == []
    await client.close()


async def _close_connection(instance: Instance, client: Client) -> None:
    """Through the management API, which comes to know of connections a little later."""
    host, port = client.line.local_address
    management = instance.env["MANA_RABBITMQ_MANAGEMENT_URL"]
    login = urlsplit(instance.env["MANA_AMQP_URL"])
    async with httpx.AsyncClient(
        auth=(login.username or "", login.password or ""), timeout=40, trust_env=False
    ) as http:
        while True:
            for connection in (await http.get(f"{management}/api/connections")).json():
                if (connection.get("peer_host"), connection.get("peer_port")) == (host, port):
                    name = quote(connection["name"], safe="")
                    assert (await http.delete(f"{management}/api/connections/{name}")).is_success
                    return
            await asyncio.sleep(0.2)
