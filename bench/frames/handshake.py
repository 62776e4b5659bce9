"""What is said between an open socket and a channel that publishes with confirms, or that consumes a queue."""

from __future__ import annotations

from struct import Struct
from typing import Final, Protocol

from bench.frames import methods
from bench.frames.address import Address
from bench.frames.wire import PROTOCOL_HEADER, Table, long_string, method, short_string, table

CHANNEL: Final = 1
_TUNE: Final = Struct(">HIH")
_QOS: Final = Struct(">IH?")

_CLIENT_PROPERTIES: Final = {
    "product": "mana bench",
    "capabilities": {
        "publisher_confirms": True,
        "basic.nack": True,
        "connection.blocked": True,
        "authentication_failure_close": True,
    },
}


class Conversation(Protocol):
    """Sends frames and waits for the method that answers them."""

    async def ask(self, frames: bytes, answer: int) -> bytes:
        """Writes, and gives the arguments of the awaited method. Raises ``BrokerError`` where another end comes."""
        ...

    def say(self, frames: bytes) -> None:
        """Writes what is not answered."""
        ...


async def log_in(line: Conversation, address: Address, heartbeat: int) -> int:
    """Logs in and opens channel 1; the heartbeat agreed on, in seconds."""
    await line.ask(PROTOCOL_HEADER, methods.CONNECTION_START)
    tune = await line.ask(_start_ok(address), methods.CONNECTION_TUNE)
    channels, frame_bytes, offered = _TUNE.unpack_from(tune)
    agreed = min(heartbeat, offered) if heartbeat and offered else heartbeat or offered
    line.say(method(0, methods.CONNECTION_TUNE_OK, _TUNE.pack(channels, frame_bytes, agreed)))
    open_arguments = short_string(address.virtual_host) + b"\x00\x00"
    await line.ask(method(0, methods.CONNECTION_OPEN, open_arguments), methods.CONNECTION_OPEN_OK)
    await line.ask(method(CHANNEL, methods.CHANNEL_OPEN, b"\x00"), methods.CHANNEL_OPEN_OK)
    return agreed


async def begin_publishing(line: Conversation) -> None:
    """Confirms on, and a direct reply-to consumer."""
    await line.ask(method(CHANNEL, methods.CONFIRM_SELECT, b"\x00"), methods.CONFIRM_SELECT_OK)
    replies = _consume("amq.rabbitmq.reply-to", acknowledged=False, arguments={})
    await line.ask(method(CHANNEL, methods.BASIC_CONSUME, replies), methods.BASIC_CONSUME_OK)


async def begin_consuming(line: Conversation, queue: str, prefetch: int, arguments: Table) -> None:
    """A consumer whose deliveries are to be acknowledged, at most ``prefetch`` of them open at a time."""
    await line.ask(method(CHANNEL, methods.BASIC_QOS, _QOS.pack(0, prefetch, False)), methods.BASIC_QOS_OK)
    consume = _consume(queue, acknowledged=True, arguments=arguments)
    await line.ask(method(CHANNEL, methods.BASIC_CONSUME, consume), methods.BASIC_CONSUME_OK)


def _start_ok(address: Address) -> bytes:
    response = f"\0{address.login}\0{address.password}"
    arguments = table(_CLIENT_PROPERTIES) + short_string("PLAIN") + long_string(response) + short_string("en_US")
    return method(0, methods.CONNECTION_START_OK, arguments)


def _consume(queue: str, *, acknowledged: bool, arguments: Table) -> bytes:
    """The consumer tag is of the broker's choice; the second bit says that there are no acknowledgements."""
    return (
        b"\x00\x00" + short_string(queue) + short_string("") + (b"\x00" if acknowledged else b"\x02") + table(arguments)
    )
