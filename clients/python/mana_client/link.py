"""One connection to the broker with its one channel, from its opening to its end. Declares nothing.

On aiormq, aio-pika's own lower half: a robust connection would send nothing again and wait without end while it is
disconnected, and here must be known what was sent on which connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import unquote, urlsplit

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ConnectionNotAllowed,
    DeliveryError,
    ProbableAuthenticationError,
)
from pamqp.commands import Basic
from yarl import URL

from mana_client.commands import Command
from mana_client.dialling import AnyNode
from mana_client.errors import LoginRefused, NotAllowed
from mana_client.rights import not_allowed

HEARTBEAT_SECONDS: Final = 10
CONNECT_SECONDS_MAX: Final = 10.0
_CLOSE_SECONDS_MAX = 2.0
_COMMANDS: Final = "credits.commands"
_REPLIES: Final = "amq.rabbitmq.reply-to"
_PERSISTENT: Final = 2
_REFUSALS: Final = (AuthenticationError, ProbableAuthenticationError, ConnectionNotAllowed)

Address = Callable[[], str]
"""Asked for the broker's address before each connection: the login in it may be another one by then."""
OnReply = Callable[[str, bytes], None]
"""Told of a reply: its correlation id, its body."""


class Lost(Exception):
    """The connection is gone; whether what was being sent arrived is unknown."""


class NotAccepted(Exception):
    """The broker refused a message, or no queue took it: it is nowhere."""


async def connected(url: str, name: str) -> AbstractConnection:
    """A connection. Raises ``LoginRefused`` and ``Lost``."""
    address = URL(url).update_query(heartbeat=str(HEARTBEAT_SECONDS), name=name)
    connection = aiormq.Connection(address, transport_factory=AnyNode())
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            with translated():
                await connection.connect()
    except TimeoutError as error:
        await hang_up(connection)
        raise Lost("the broker does not answer") from error
    except BaseException:
        await hang_up(connection)
        raise
    return connection


@contextmanager
def translated() -> Generator[None]:
    """Turns the library's errors into the few that mean something here: ``LoginRefused``, ``NotAllowed``, ``Lost``."""
    try:
        yield
    except DeliveryError as error:
        raise NotAccepted(str(error)) from error
    except _REFUSALS as error:
        raise LoginRefused(f"the broker refuses this login: {error}") from error
    except ChannelAccessRefused as error:
        raise not_allowed(str(error)) from error
    except TimeoutError:
        raise
    except (AMQPError, ChannelInvalidStateError, OSError, RuntimeError) as error:
        raise Lost(f"{type(error).__name__}: {error}") from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # A closing channel ends what waits on it with this exception, though nobody cancelled us.
        raise Lost("the channel was closed") from error


async def hang_up(connection: AbstractConnection) -> None:
    """Closes a connection."""
    # Closing is a courtesy: the broker drops what does not take it.
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS_MAX):
            await connection.close()


def url_of(address: Address) -> str:
    """The address as it is now. Raises ``LoginRefused`` where there is none to be had."""
    try:
        url = address()
        login_of(url)
    except Exception as error:  # the caller's own function: whatever it is, no login can be tried
        raise LoginRefused(f"the broker's address cannot be read: {type(error).__name__}: {error}") from error
    return url


def login_of(url: str) -> str:
    """The login that an AMQP address names; the broker refuses any other in the property ``user_id``."""
    parts = urlsplit(url)
    if parts.scheme not in {"amqp", "amqps"}:
        raise ValueError("the broker's address must begin with amqp:// or amqps://")
    return unquote(parts.username or "guest")


class Link:
    """An open connection for commands. Replies come by direct reply-to, on the channel that commands go out on."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel, login: str) -> None:
        self._connection = connection
        self._channel = channel
        self._login = login
        self._sent = 0
        self._let_in = False
        self._alone = asyncio.Lock()
        self._refused: NotAllowed | NotAccepted | None = None
        self._given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, address: Address, on_reply: OnReply) -> Link:
        """Connects, and listens for replies. Raises ``LoginRefused``, ``NotAllowed`` and ``Lost``."""
        url = url_of(address)
        connection = await connected(url, "mana-client")

        async def read(message: DeliveredMessage) -> None:
            on_reply(message.header.properties.correlation_id or "", message.body)

        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                with translated():
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    await channel.basic_consume(_REPLIES, read, no_ack=True)
        except TimeoutError as error:
            await hang_up(connection)
            raise Lost("the broker does not answer") from error
        except BaseException:
            await hang_up(connection)
            raise
        return cls(connection, channel, login_of(url))

    async def publish(self, command: Command, message_id: str) -> None:
        """Returns once the broker has confirmed that the command is queued and safe.

        ``message_id`` is the correlation id too, so that sending it again is a repeat and no new try.
        Raises ``NotAccepted``, ``NotAllowed`` and ``Lost``. Waits without end while the broker is blocked: bound it.
        """
        if not self._let_in:
            async with self._alone:
                if not self._let_in:
                    await self._first(command, message_id)
                    return
        await self._send(command, message_id)

    async def _first(self, command: Command, message_id: str) -> None:
        """Nobody else sends until the broker has let one in: where it lets none in, nothing of the others is out."""
        if self._refused is not None:
            raise self._refused
        if self._given_up.done():
            raise Lost("the connection was given up")
        await self._send(command, message_id)

    async def _send(self, command: Command, message_id: str) -> None:
        """A channel that the broker closes for a publish does not say for which: those sent before it may be taken.

        So it is certain of the last one alone that it is not.
        """
        properties = Basic.Properties(
            content_type="application/json",
            delivery_mode=_PERSISTENT,
            correlation_id=message_id,
            reply_to=_REPLIES,
            message_id=message_id,
            message_type=command.type,
            user_id=self._login,
            headers=command.headers,
        )
        self._sent += 1
        number = self._sent
        try:
            with translated():
                await self._channel.basic_publish(
                    command.body,
                    exchange=_COMMANDS,
                    routing_key=command.user_id,
                    properties=properties,
                    mandatory=True,
                )
        except NotAccepted:
            self._let_in = True
            raise
        except NotAllowed as error:
            if number < self._sent:
                raise Lost(str(error)) from error
            self._refused = error
            raise
        except Lost as error:
            if number < self._sent or not isinstance(error.__cause__, ChannelNotFoundEntity):
                raise
            self._refused = NotAccepted("there is nothing that takes commands")
            raise self._refused from error
        self._let_in = True

    def give_up(self) -> None:
        """It failed somebody: it counts as ended, also where the library has not seen that yet."""
        if not self._given_up.done():
            self._given_up.set_result(None)

    async def ended(self) -> None:
        """Returns once the connection or its channel is gone, or was given up."""
        ends = {self._connection.closing, self._channel.closing, self._given_up}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Closes the connection."""
        await hang_up(self._connection)
