"""One connection to the broker with its one channel, from its opening to its end. Declares nothing.

On aiormq, aio-pika's own lower half: a robust connection would repeat the reply consumer by itself and wait without
end while disconnected, and here must be known what was sent on which connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote, urlsplit

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError, DeliveryError
from pamqp.commands import Basic
from pamqp.common import FieldTable
from yarl import URL

from api.broker.commands import Notice, OutgoingCommand
from api.broker.dialling import AnyNode
from contracts.apps import ON_BEHALF_HEADER
from contracts.replies import CONTENT_TYPE
from contracts.topology import COMMANDS_EXCHANGE, DIRECT_REPLY_TO
from contracts.trace_context import SENT_AT, TRACEPARENT

HEARTBEAT_SECONDS: Final = 5
CONNECT_SECONDS_MAX: Final = 5.0
_CLOSE_SECONDS_MAX: Final = 2.0
_PERSISTENT: Final = 2

OnReply = Callable[[str, bytes], None]
"""Told of a reply: its correlation id, its body."""


class Lost(Exception):  # noqa: N818 - says what the connection is
    """The connection is gone; whether what was being sent arrived is unknown."""


class Rejected(Exception):  # noqa: N818 - the broker's answer
    """The broker refused a message, or no queue took it."""


class Link:
    """An open connection. Replies come by direct reply-to, on the channel that the commands go out on."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel, login: str) -> None:
        self._connection = connection
        self._channel = channel
        self._login = login

    @classmethod
    async def open(cls, url: str, on_reply: OnReply | None) -> Link:
        """Connects, and listens for replies if somebody wants them. Raises ``Lost``."""
        address = URL(url).update_query(heartbeat=str(HEARTBEAT_SECONDS), name="mana-api")
        connection = aiormq.Connection(address, transport_factory=AnyNode())
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await connection.connect()
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                if on_reply is not None:
                    await channel.basic_consume(DIRECT_REPLY_TO, _reader(on_reply), no_ack=True)
        except (AMQPError, ChannelInvalidStateError, OSError, RuntimeError, TimeoutError) as error:
            await _close(connection)
            raise Lost(f"{type(error).__name__}: {error}") from error
        return cls(connection, channel, login_of(url))

    async def publish(self, command: OutgoingCommand, *, reply: bool) -> None:
        """Returns once the broker has confirmed that the command is queued and safe.

        The correlation id is the message's id too, so that sending it again is a repeat and no new try.
        Raises ``Rejected`` and ``Lost``. Waits without end while the broker is blocked: bound it.
        """
        properties = Basic.Properties(
            content_type=CONTENT_TYPE,
            delivery_mode=_PERSISTENT,
            correlation_id=command.message_id,
            reply_to=DIRECT_REPLY_TO if reply else None,
            message_id=command.message_id,
            timestamp=datetime.now(UTC),
            message_type=command.type,
            user_id=self._login,
            headers=_headers(command),
        )
        await self._send(COMMANDS_EXCHANGE, command.user_id, command.body, properties)

    async def put(self, notice: Notice) -> None:
        """Returns and raises as ``publish`` does."""
        properties = Basic.Properties(
            content_type=notice.content_type,
            delivery_mode=_PERSISTENT,
            message_id=notice.message_id,
            timestamp=datetime.now(UTC),
            message_type=notice.type,
            user_id=self._login,
        )
        await self._send(notice.exchange, notice.routing_key, notice.body, properties)

    async def _send(self, exchange: str, routing_key: str, body: bytes, properties: Basic.Properties) -> None:
        with translated():
            await self._channel.basic_publish(
                body, exchange=exchange, routing_key=routing_key, properties=properties, mandatory=True
            )

    async def ended(self) -> None:
        """Returns once the connection or its channel is gone."""
        ends = {self._connection.closing, self._channel.closing}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Closes the connection."""
        await _close(self._connection)


def _headers(command: OutgoingCommand) -> FieldTable | None:
    headers: FieldTable = {}
    if command.on_behalf is not None:
        headers[ON_BEHALF_HEADER] = command.on_behalf
    if command.traceparent is not None:
        headers[TRACEPARENT] = command.traceparent
    if command.sent_at is not None:
        headers[SENT_AT] = command.sent_at
    return headers or None


@contextmanager
def translated() -> Generator[None]:
    """Turns the library's errors of a publish into the two that mean something here."""
    try:
        yield
    except DeliveryError as error:
        raise Rejected(str(error)) from error
    except (AMQPError, ChannelInvalidStateError, OSError) as error:
        raise Lost(f"{type(error).__name__}: {error}") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # A closing channel ends what waits on it with this exception, though nobody cancelled us.
        raise Lost("the channel was closed") from error


def login_of(url: str) -> str:
    """The login that an AMQP address names; the broker refuses any other in the property ``user_id``."""
    return unquote(urlsplit(url).username or "guest")


def _reader(on_reply: OnReply) -> Callable[[DeliveredMessage], Coroutine[None, None, None]]:
    async def read(message: DeliveredMessage) -> None:
        properties = message.header.properties
        on_reply(str(properties.correlation_id or ""), message.body)

    return read


async def _close(connection: AbstractConnection) -> None:
    # Closing is a courtesy: the broker drops what does not take it.
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS_MAX):
            await connection.close()
