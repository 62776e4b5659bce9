"""The connection's own channel: the login, the broker's announcements, the goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from msgspec import Struct as Record

from workers.broker import methods
from workers.broker.address import Address
from workers.broker.calls import CALL_SECONDS, Calls
from workers.broker.channel import CLOSE_SECONDS, unexpected
from workers.broker.errors import BrokerLostError, ProtocolError
from workers.broker.frames import HEARTBEAT, METHOD, PROTOCOL_HEADER, method
from workers.broker.lenient import read_table
from workers.broker.wire import FRAME_MAX, Wire

HEARTBEAT_SECONDS: Final = 5
FRAME_MIN: Final = 4096
"""The specification's; a broker that agrees to less cannot be spoken to."""
OURS: Final = (65_535, FRAME_MAX, HEARTBEAT_SECONDS)
"""Channels, bytes of a frame, seconds of the heartbeat: the most that we agree to."""
_TUNE: Final = Struct(">HIH")
_SERVER_PROPERTIES_AT: Final = 6
"""Behind the method and the version, one byte for its major and one for its minor part."""

_CAPABILITIES: Final = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}


class Agreed(Record, frozen=True):
    """What both sides keep to, and who the other side is: its version and its platform, empty where it tells none."""

    channel_max: int
    frame_max: int
    version: str
    platform: str


class Control:
    """Channel 0. ``lost`` is set once the connection is gone, whoever closed it; ``reason`` says why."""

    def __init__(self, wire: Wire) -> None:
        self.lost = asyncio.Event()
        self.reason = ""
        self.blocked = False
        """True while the broker reads nothing from us for lack of memory or disk."""
        self.take: Callable[[int, bytes], None] = self._take
        self._wire = wire
        self._calls = Calls(wire.write)
        wire.receivers[0] = self

    async def log_in(self, address: Address, name: str) -> Agreed:
        """Agrees with the broker on all there is. Raises ``BrokerLostError``."""
        start = await self._ask(PROTOCOL_HEADER, methods.CONNECTION_START)
        server = _server_properties(start)
        client = {"product": "mana", "connection_name": name, "capabilities": _CAPABILITIES}
        start_ok = method(0, methods.start_ok(address.login, address.password, client))
        tune = await self._ask(start_ok, methods.CONNECTION_TUNE)
        if len(tune) < 4 + _TUNE.size:
            raise BrokerLostError("the broker's offer of limits was cut short")
        channel_max, frame_max, heartbeat = map(_lesser, _TUNE.unpack_from(tune, 4), OURS)
        if frame_max < FRAME_MIN:
            raise BrokerLostError(f"the broker takes frames of {frame_max} bytes at most")
        self._wire.write(method(0, methods.tune_ok(channel_max, frame_max, heartbeat)))
        self._wire.agreed(frame_max, heartbeat)
        await self._ask(method(0, methods.connection_open(address.virtual_host)), methods.CONNECTION_OPEN_OK)
        return Agreed(channel_max, frame_max, _text(server, "version"), _text(server, "platform"))

    async def close(self) -> None:
        """Says goodbye and closes, or goes without a goodbye."""
        reason = "closed"
        try:
            await self._ask(method(0, methods.connection_close()), methods.CONNECTION_CLOSE_OK, CLOSE_SECONDS)
        except BrokerLostError as error:
            reason = f"closed without a goodbye: {error}"
        finally:
            self._wire.give_up(reason)

    def lose(self, error: BrokerLostError) -> None:
        """The connection is gone."""
        self.reason = str(error)
        self.blocked = False
        self._calls.fail(error)
        self.lost.set()

    async def _ask(self, frames: bytes, answer: bytes, within: float = CALL_SECONDS) -> bytes:
        return await self._calls.ask(frames, answer, within)

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == HEARTBEAT:
            return
        if kind != METHOD:
            raise ProtocolError(f"a frame of type {kind} on the connection's own channel")
        number = payload[:4]
        if self._calls.answered(number, payload):
            return
        if number == methods.CONNECTION_CLOSE:
            self._wire.write(method(0, methods.CONNECTION_CLOSE_OK))
            code, text = methods.reply(payload)
            self._wire.leave(f"{code} {text}")
        elif number == methods.CONNECTION_BLOCKED:
            self.blocked = True
        elif number == methods.CONNECTION_UNBLOCKED:
            self.blocked = False
        else:
            unexpected(number)


def _lesser(offered: int, ours: int) -> int:
    """Zero stands for no limit of the broker's."""
    return min(offered or ours, ours)


def _server_properties(start: bytes) -> dict[str, Any]:
    end = _SERVER_PROPERTIES_AT + 4 + int.from_bytes(start[_SERVER_PROPERTIES_AT : _SERVER_PROPERTIES_AT + 4], "big")
    return read_table(start, _SERVER_PROPERTIES_AT + 4, end) or {}


def _text(server: dict[str, Any], name: str) -> str:
    value = server.get(name)
    return value if isinstance(value, str) else ""
