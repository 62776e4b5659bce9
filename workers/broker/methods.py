"""The methods that we send or understand: their numbers, and the arguments of those that are sent seldom.

AMQP 0-9-1, section 1; ``basic.nack``, ``confirm`` and ``connection.blocked`` are RabbitMQ's. Each payload begins with
the class and the method, two bytes each; a reserved short follows where a queue or an exchange is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack
from typing import Any, Final

from workers.broker.fields import long, short, table


def _number(class_: int, method: int) -> bytes:
    return pack(">HH", class_, method)


CONNECTION_START: Final = _number(10, 10)
CONNECTION_START_OK: Final = _number(10, 11)
CONNECTION_TUNE: Final = _number(10, 30)
CONNECTION_TUNE_OK: Final = _number(10, 31)
CONNECTION_OPEN: Final = _number(10, 40)
CONNECTION_OPEN_OK: Final = _number(10, 41)
CONNECTION_CLOSE: Final = _number(10, 50)
CONNECTION_CLOSE_OK: Final = _number(10, 51)
CONNECTION_BLOCKED: Final = _number(10, 60)
CONNECTION_UNBLOCKED: Final = _number(10, 61)
CHANNEL_OPEN: Final = _number(20, 10)
CHANNEL_OPEN_OK: Final = _number(20, 11)
CHANNEL_CLOSE: Final = _number(20, 40)
CHANNEL_CLOSE_OK: Final = _number(20, 41)
QUEUE_DECLARE: Final = _number(50, 10)
QUEUE_DECLARE_OK: Final = _number(50, 11)
QUEUE_BIND: Final = _number(50, 20)
QUEUE_BIND_OK: Final = _number(50, 21)
BASIC_QOS: Final = _number(60, 10)
BASIC_QOS_OK: Final = _number(60, 11)
BASIC_CONSUME: Final = _number(60, 20)
BASIC_CONSUME_OK: Final = _number(60, 21)
BASIC_CANCEL: Final = _number(60, 30)
BASIC_PUBLISH: Final = _number(60, 40)
BASIC_RETURN: Final = _number(60, 50)
BASIC_DELIVER: Final = _number(60, 60)
BASIC_ACK: Final = _number(60, 80)
BASIC_NACK: Final = _number(60, 120)
CONFIRM_SELECT: Final = _number(85, 10)
CONFIRM_SELECT_OK: Final = _number(85, 11)

PRECONDITION_FAILED: Final = 406
"""Reply code of what exists already, and otherwise than was asked for."""

_PASSIVE, _DURABLE = 1, 2
_NO_ACK: Final = 2
_SUCCESS: Final = pack(">H", 200) + short("goodbye") + bytes(4)


def start_ok(login: str, password: str, client: Mapping[str, Any]) -> bytes:
    """Who we are: properties of the client, and login and password as SASL's PLAIN has them."""
    return CONNECTION_START_OK + table(client) + short("PLAIN") + long(f"\0{login}\0{password}") + short("en_US")


def tune_ok(channel_max: int, frame_max: int, heartbeat: int) -> bytes:
    """What we agree to: channels, bytes of a frame, seconds."""
    return CONNECTION_TUNE_OK + pack(">HIH", channel_max, frame_max, heartbeat)


def connection_open(virtual_host: str) -> bytes:
    """Enters a virtual host."""
    return CONNECTION_OPEN + short(virtual_host) + bytes(2)


def connection_close() -> bytes:
    """Goodbye, on the connection's own channel."""
    return CONNECTION_CLOSE + _SUCCESS


def channel_open() -> bytes:
    """Opens the channel that it is sent on."""
    return CHANNEL_OPEN + bytes(1)


def channel_close() -> bytes:
    """Closes the channel that it is sent on."""
    return CHANNEL_CLOSE + _SUCCESS


def qos(prefetch: int) -> bytes:
    """So many unacknowledged deliveries for each consumer of the channel."""
    return BASIC_QOS + pack(">IHB", 0, prefetch, 0)


def consume(queue: str, *, no_ack: bool = False, arguments: Mapping[str, Any] | None = None) -> bytes:
    """Consumes a queue under a tag that the broker makes up."""
    flags = bytes((_NO_ACK * no_ack,))
    return BASIC_CONSUME + bytes(2) + short(queue) + short("") + flags + table(arguments or {})


def queue_declare(queue: str, arguments: Mapping[str, Any]) -> bytes:
    """Declares a durable queue."""
    return QUEUE_DECLARE + bytes(2) + short(queue) + bytes((_DURABLE,)) + table(arguments)


def queue_look(queue: str) -> bytes:
    """Declares passively: the queue must be there, however it is."""
    return QUEUE_DECLARE + bytes(2) + short(queue) + bytes((_PASSIVE,)) + table({})


def message_count(declare_ok: bytes) -> int:
    """How many messages are ready in a queue, by the broker's answer to its declaration."""
    return int.from_bytes(declare_ok[-8:-4], "big")


def queue_bind(queue: str, exchange: str, routing_key: str) -> bytes:
    """Binds a queue to an exchange."""
    return QUEUE_BIND + bytes(2) + short(queue) + short(exchange) + short(routing_key) + bytes(1) + table({})


def confirm_select() -> bytes:
    """Asks for a confirm of each message published on the channel."""
    return CONFIRM_SELECT + bytes(1)


def reply(payload: bytes) -> tuple[int, str]:
    """Code and text of a close that the broker sent."""
    code = int.from_bytes(payload[4:6], "big")
    return code, payload[7 : 7 + payload[6]].decode(errors="replace")
