"""The queue ``credits.dead``, looked through and put back: what is not removed stays where it was.

Everything that is looked at is held unacknowledged until the end, on one consumer's channel: the broker puts what comes
back from a channel that closes in its old order. Nobody else sees it meanwhile, so two who redrive share it out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import aiormq
import uuid_utils
from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from pamqp.commands import Basic
from yarl import URL

from api.broker.dialling import AnyNode
from api.broker.link import CONNECT_SECONDS_MAX, HEARTBEAT_SECONDS, Lost, login_of, translated
from contracts.apps import ON_BEHALF_HEADER
from contracts.dead_letters import DEADLINE, SENDER_HEADER, SINCE_HEADER, TRACEPARENT
from contracts.fields import COMMAND_BYTES_MAX
from contracts.replies import CONTENT_TYPE
from contracts.topology import COMMANDS_EXCHANGE, DEAD_QUEUE, DIRECT_REPLY_TO

HELD_MAX: Final = 65_535
"""As many as a channel may hold (AMQP's own bound of a prefetch)."""
CONFIRM_SECONDS: Final = 10.0
_QUIET_SECONDS: Final = 3.0
"""What is there comes at once; a pause of so long means that somebody else has the rest."""


@dataclass(frozen=True)
class Kept:
    """A message as it lies in the queue; ``tag`` names it on the channel that holds it.

    ``body`` is cut where it is too long for any command; ``body_bytes`` and ``digest`` (SHA-256) are of the whole one.
    """

    tag: int
    type: str | None
    user_id: str | None
    reply_to: str | None
    message_id: str | None
    content_encoding: str | None
    headers: Mapping[str, Any]
    body: bytes
    body_bytes: int
    digest: bytes


@dataclass(frozen=True)
class Again:
    """A command as it is sent again: in the name of ``sender``, with all that its first sending said."""

    type: str
    routing_key: str
    sender: str
    kept_since: str
    body: bytes
    message_id: str | None
    on_behalf: str | None
    deadline: str | None
    traceparent: str | None
    id: str = field(default_factory=lambda: str(uuid_utils.uuid7()))

    @property
    def headers(self) -> dict[str, Any]:
        """Who sent it first, and what that one said by headers."""
        told = {
            SENDER_HEADER: self.sender,
            SINCE_HEADER: self.kept_since,
            ON_BEHALF_HEADER: self.on_behalf,
            DEADLINE: self.deadline,
            TRACEPARENT: self.traceparent,
        }
        return {name: value for name, value in told.items() if value is not None}


class DeadQueue:
    """An open look at the queue, by a login that may read it, and may publish commands."""

    def __init__(self, looking: AbstractChannel, sending: AbstractChannel, login: str) -> None:
        self._looking = looking
        self._sending = sending
        self._login = login
        self._replies: dict[str, asyncio.Future[bytes]] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncGenerator[DeadQueue]:
        """Puts back, at the end, all that was not removed. Raises ``Lost``, also later."""
        address = URL(url).update_query(heartbeat=str(HEARTBEAT_SECONDS), name="mana-dead")
        connection = aiormq.Connection(address, transport_factory=AnyNode())
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await connection.connect()
                looking = await connection.channel(publisher_confirms=False)
                sending = await connection.channel(publisher_confirms=True, on_return_raises=True)
                queue = cls(looking, sending, login_of(url))
                await sending.basic_consume(DIRECT_REPLY_TO, queue._hear, no_ack=True)
        except (AMQPError, ChannelInvalidStateError, OSError, RuntimeError, TimeoutError) as error:
            await connection.close()
            raise Lost(f"{type(error).__name__}: {error}") from error
        try:
            yield queue
        finally:
            if not looking.is_closed:
                await looking.close()
            await connection.close()

    async def waiting(self) -> int:
        """How many messages lie there that nobody holds."""
        with translated():
            declared = await self._looking.queue_declare(DEAD_QUEUE, passive=True)
        return declared.message_count or 0

    async def each(self) -> AsyncGenerator[Kept]:
        """What lies there now, in order; at most ``HELD_MAX`` that are not removed on the way. For once."""
        left, arrived = await self.waiting(), asyncio.Queue[Kept]()

        async def take(message: DeliveredMessage) -> None:
            arrived.put_nowait(_kept(message))  # at once, so that no long body is held

        with translated():
            await self._looking.basic_qos(prefetch_count=HELD_MAX)
            await self._looking.basic_consume(DEAD_QUEUE, take)
        for _ in range(left):
            try:
                async with asyncio.timeout(_QUIET_SECONDS):
                    kept = await arrived.get()
            except TimeoutError:
                return
            yield kept

    async def remove(self, kept: Kept) -> None:
        """Takes it out of the queue."""
        with translated():
            await self._looking.basic_ack(kept.tag)

    async def send_again(self, command: Again) -> None:
        """Returns once the broker has confirmed it. Raises ``Rejected``; ``Lost`` where nobody knows."""
        properties = Basic.Properties(
            content_type=CONTENT_TYPE,
            delivery_mode=2,
            correlation_id=command.id,
            reply_to=DIRECT_REPLY_TO,
            message_id=command.message_id,
            timestamp=datetime.now(UTC),
            message_type=command.type,
            user_id=self._login,
            headers=command.headers,
        )
        self._replies[command.id] = asyncio.get_running_loop().create_future()
        with translated():
            await self._sending.basic_publish(
                command.body,
                exchange=COMMANDS_EXCHANGE,
                routing_key=command.routing_key,
                properties=properties,
                mandatory=True,
                timeout=CONFIRM_SECONDS,
            )

    async def reply(self, command: Again, within: float) -> bytes | None:
        """The ledger's answer; ``None`` where none came in so many seconds."""
        try:
            async with asyncio.timeout(within):
                return await self._replies[command.id]
        except TimeoutError:
            return None

    async def _hear(self, message: DeliveredMessage) -> None:
        reply = self._replies.get(str(message.header.properties.correlation_id or ""))
        if reply is not None and not reply.done():
            reply.set_result(message.body)


def _kept(message: DeliveredMessage) -> Kept:
    properties = message.header.properties
    return Kept(
        message.delivery_tag or 0,
        properties.message_type,
        properties.user_id,
        properties.reply_to,
        properties.message_id,
        properties.content_encoding,
        properties.headers or {},
        message.body[: COMMAND_BYTES_MAX + 1],
        len(message.body),
        sha256(message.body).digest(),
    )
