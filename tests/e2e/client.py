"""A small client of the command queue, as an app would write it on aio-pika."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

EXCHANGE = "credits.commands"
REPLIES = "amq.rabbitmq.reply-to"
ANSWER_SECONDS = 10.0


class Client:
    """Sends commands with persistent messages, confirms and ``mandatory``, and pairs replies by correlation id."""

    def __init__(self, channel: AbstractChannel, login: str) -> None:
        self.channel = channel
        self.login = login
        self._waiting: dict[str, asyncio.Future[AbstractIncomingMessage]] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, url: str) -> AsyncGenerator[Client]:
        """A client on a connection of its own, closed at the end."""
        connection = await aio_pika.connect(url)
        async with connection:
            client = cls(await connection.channel(), unquote(urlsplit(url).username or ""))
            replies = await client.channel.get_queue(REPLIES, ensure=False)
            await replies.consume(client._take, no_ack=True)
            yield client

    async def call(self, type_: str, user_id: str, **fields: Any) -> dict[str, Any]:
        """Sends a command about a user, with ``fields`` as the rest of its body; answers the reply's body."""
        body = json.dumps({"userId": user_id, **fields}).encode()
        return await self.send(body, routing_key=user_id, type=type_)

    async def send(self, body: bytes, routing_key: str, **properties: Any) -> dict[str, Any]:
        """Sends any message and answers its reply's body. Raises TimeoutError when none comes."""
        return json.loads((await self.exchange(body, routing_key, **properties)).body)

    async def exchange(self, body: bytes, routing_key: str, **properties: Any) -> AbstractIncomingMessage:
        """Sends any message and answers its reply, properties and all. Raises TimeoutError when none comes."""
        correlation_id = properties.setdefault("correlation_id", str(uuid.uuid4()))
        waiting = self._waiting[correlation_id] = asyncio.get_running_loop().create_future()
        try:
            await self.publish(body, routing_key, reply_to=properties.pop("reply_to", REPLIES), **properties)
            return await asyncio.wait_for(waiting, ANSWER_SECONDS)
        finally:
            del self._waiting[correlation_id]

    async def publish(self, body: bytes, routing_key: str, **properties: Any) -> None:
        """Publishes any message to the commands' exchange and waits for the broker's confirm."""
        properties.setdefault("user_id", self.login)
        properties.setdefault("content_type", "application/json")
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, **properties)
        exchange = await self.channel.get_exchange(EXCHANGE, ensure=False)
        await exchange.publish(message, routing_key)

    async def open_user(self, **fields: Any) -> str:
        """Opens a fresh account and answers its user's id."""
        user_id = str(uuid.uuid4())
        reply = await self.call("account.open", user_id, idempotencyKey="open", **fields)
        assert reply["ok"], reply
        return user_id

    async def use(self, user_id: str, amount: int = 1, **fields: Any) -> dict[str, Any]:
        """Takes credits; a fresh key and the app ``chat`` unless told otherwise."""
        defaults = {"appId": "chat", "description": "a use", "idempotencyKey": str(uuid.uuid4())}
        return await self.call("credits.use", user_id, amount=amount, **{**defaults, **fields})

    async def dead(self) -> AbstractQueue:
        """The queue of dead copies."""
        return await self.channel.get_queue("credits.dead", ensure=False)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        waiting = self._waiting.get(message.correlation_id or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(message)
