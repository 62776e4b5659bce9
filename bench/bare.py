"""What an app writes on a library alone: confirm, direct reply-to, the reply by its correlation id, a time limit."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import aio_pika
import aiormq
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage
from aiormq.abc import AbstractChannel, DeliveredMessage
from mana_client import Mana
from pamqp.commands import Basic

from bench.calls import APP
from bench.errors import BenchError
from contracts.topology import COMMANDS_EXCHANGE, DIRECT_REPLY_TO
from ops import urls

_TIMEOUT_SECONDS: Final = 10.0
_DESCRIPTION: Final = "one use"


class Spender(Protocol):
    """Something that charges a user one credit, and returns once that is done, for the first time."""

    async def use(self, user: str) -> None:
        """Raises ``BenchError`` where it is not."""
        ...


class _Bare:
    """What both libraries leave to the app."""

    def __init__(self, login: str) -> None:
        self.login = login
        self.waiting: dict[str, asyncio.Future[bytes]] = {}

    async def use(self, user: str) -> None:
        """One command, one reply."""
        correlation_id = str(uuid.uuid4())
        command = {
            "userId": user,
            "amount": 1,
            "appId": APP,
            "description": _DESCRIPTION,
            "idempotencyKey": str(uuid.uuid4()),
        }
        waiting = self.waiting[correlation_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self.publish(json.dumps(command).encode(), user, correlation_id)
                _check(json.loads(await waiting))
        finally:
            del self.waiting[correlation_id]

    async def publish(self, body: bytes, user: str, correlation_id: str) -> None:
        """Returns once it is confirmed."""
        raise NotImplementedError

    def hear(self, correlation_id: str | None, body: bytes) -> None:
        """A reply."""
        waiting = self.waiting.get(correlation_id or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(body)


class _Aiormq(_Bare):
    def __init__(self, login: str, channel: AbstractChannel) -> None:
        super().__init__(login)
        self._channel = channel

    async def publish(self, body: bytes, user: str, correlation_id: str) -> None:
        properties = Basic.Properties(
            message_type="credits.use",
            content_type="application/json",
            delivery_mode=2,
            user_id=self.login,
            correlation_id=correlation_id,
            reply_to=DIRECT_REPLY_TO,
        )
        await self._channel.basic_publish(
            body, exchange=COMMANDS_EXCHANGE, routing_key=user, properties=properties, mandatory=True
        )

    async def take(self, message: DeliveredMessage) -> None:
        """A reply."""
        self.hear(message.header.properties.correlation_id, message.body)


class _AioPika(_Bare):
    def __init__(self, login: str, commands: AbstractExchange) -> None:
        super().__init__(login)
        self._commands = commands

    async def publish(self, body: bytes, user: str, correlation_id: str) -> None:
        message = aio_pika.Message(
            body,
            type="credits.use",
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            user_id=self.login,
            correlation_id=correlation_id,
            reply_to=DIRECT_REPLY_TO,
        )
        await self._commands.publish(message, user)

    async def take(self, message: AbstractIncomingMessage) -> None:
        """A reply."""
        self.hear(message.correlation_id, message.body)


class _ManaClient:
    def __init__(self, mana: Mana) -> None:
        self._mana = mana

    async def use(self, user: str) -> None:
        """One call."""
        result = await self._mana.use(user, 1, description=_DESCRIPTION, timeout=_TIMEOUT_SECONDS)
        if result.replayed:
            raise BenchError("A use had been done before.")


@asynccontextmanager
async def on_aiormq(url: str) -> AsyncGenerator[Spender]:
    """With aiormq alone."""
    connection = await aiormq.connect(url)
    try:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        spender = _Aiormq(urls.login_of(url)[0], channel)
        await channel.basic_consume(DIRECT_REPLY_TO, spender.take, no_ack=True)
        yield spender
    finally:
        await connection.close()


@asynccontextmanager
async def on_aio_pika(url: str) -> AsyncGenerator[Spender]:
    """With aio-pika alone."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        spender = _AioPika(urls.login_of(url)[0], await channel.get_exchange(COMMANDS_EXCHANGE, ensure=False))
        replies = await channel.get_queue(DIRECT_REPLY_TO, ensure=False)
        await replies.consume(spender.take, no_ack=True)
        yield spender


@asynccontextmanager
async def on_mana_client(url: str) -> AsyncGenerator[Spender]:
    """With our client."""
    async with Mana(url, app=APP) as mana:
        yield _ManaClient(mana)


def _check(reply: dict[str, Any]) -> None:
    if not reply["ok"] or reply["replayed"]:
        raise BenchError(f"A use was answered with {reply}.")
