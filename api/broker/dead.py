"""The queues of dead letters, looked through and put back, and commands of them sent again.

One looks at a time: a second one would miss what the first holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import aiormq
import uuid_utils
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError, ChannelLockedResource, ChannelNotFoundEntity
from pamqp.commands import Basic
from yarl import URL

from api.broker.dialling import AnyNode
from api.broker.lenient import read_whatever_comes
from api.broker.link import CONNECT_SECONDS_MAX, HEARTBEAT_SECONDS, Lost, login_of, translated
from api.broker.walk import Kept, Walk
from contracts.apps import ON_BEHALF_HEADER
from contracts.dead_letters import DEADLINE, SENDER_HEADER, SINCE_HEADER, TRACEPARENT
from contracts.replies import CONTENT_TYPE
from contracts.topology import COMMANDS_EXCHANGE, DEAD_LOOK, DEAD_QUEUES, DIRECT_REPLY_TO

CONFIRM_SECONDS: Final = 10.0
_TURN_TRIES: Final = 10
_TURN_SECONDS: Final = 0.1
"""Between two tries: whoever has just ended or died is out of the way in no time."""


class Busy(Exception):  # noqa: N818 - says what the queue is
    """Somebody else looks through the letters."""


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
    """An open look at the queues, by a login that may read them, and may publish commands."""

    def __init__(self, walk: Walk, sending: AbstractChannel, login: str, queues: list[str]) -> None:
        self._walk = walk
        self._sending = sending
        self._login = login
        self._queues = queues
        self._replies: dict[str, asyncio.Future[bytes]] = {}

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str) -> AsyncGenerator[DeadQueue]:
        """Puts back, at the end, all that was not removed. Raises ``Busy`` at once, ``Lost`` also later."""
        read_whatever_comes()
        address = URL(url).update_query(heartbeat=str(HEARTBEAT_SECONDS), name="mana-dead")
        connection = aiormq.Connection(address, transport_factory=AnyNode())
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await connection.connect()
                await _have_turn(connection)
                looking = await connection.channel(publisher_confirms=False)
                sending = await connection.channel(publisher_confirms=True, on_return_raises=True)
                queue = cls(Walk(looking), sending, login_of(url), await _there(connection))
                await sending.basic_consume(DIRECT_REPLY_TO, queue._hear, no_ack=True)
        except Busy:
            await connection.close()
            raise
        except (AMQPError, ChannelInvalidStateError, OSError, RuntimeError, TimeoutError) as error:
            await connection.close()
            raise Lost(f"{type(error).__name__}: {error}") from error
        try:
            yield queue
        finally:
            if not looking.is_closed:
                await queue._walk.put_back()
                await looking.close()
            await connection.close()

    async def waiting(self) -> int:
        """How many messages lie there that nobody holds."""
        return sum([await self._walk.waiting(queue) for queue in self._queues])

    async def each(self) -> AsyncGenerator[Kept]:
        """What lies there now: what workers kept, in order, then what the broker gave up (``Walk.each``). For once."""
        for queue in self._queues:
            async for kept in self._walk.each(queue):
                yield kept

    async def remove(self, kept: Kept) -> None:
        """Takes the one that was looked at last out of its queue."""
        await self._walk.remove(kept)

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


async def _have_turn(connection: AbstractConnection) -> None:
    """The turn is over with the connection. Raises ``Busy``."""
    for _ in range(_TURN_TRIES):
        channel = await connection.channel(publisher_confirms=False)
        try:
            await channel.queue_declare(DEAD_LOOK, exclusive=True)
        except ChannelLockedResource:
            await asyncio.sleep(_TURN_SECONDS)
        else:
            return
    raise Busy


async def _there(connection: AbstractConnection) -> list[str]:
    """Those of the queues that there are: a place that was started by a version before has one alone."""
    there: list[str] = []
    for queue in DEAD_QUEUES:
        channel = await connection.channel(publisher_confirms=False)
        try:
            await channel.queue_declare(queue, passive=True)
        except ChannelNotFoundEntity:
            continue
        there.append(queue)
        await channel.close()
    return there
