"""The broker's end of a connection in memory: it speaks pamqp, an implementation that knows nothing of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pamqp import commands, frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from workers.broker.control import Agreed, Control
from workers.broker.link import Link
from workers.broker.wire import Wire

FRAME_MAX = 4096
ANSWERS: dict[type[Any], Any] = {
    commands.Channel.Open: commands.Channel.OpenOk(),
    commands.Channel.Close: commands.Channel.CloseOk(),
    commands.Basic.Qos: commands.Basic.QosOk(),
    commands.Basic.Consume: commands.Basic.ConsumeOk("tag"),
    commands.Confirm.Select: commands.Confirm.SelectOk(),
    commands.Queue.Declare: commands.Queue.DeclareOk("queue", 0, 0),
    commands.Queue.Bind: commands.Queue.BindOk(),
    commands.Connection.Close: commands.Connection.CloseOk(),
}


class Peer(asyncio.Transport):
    """Hears all that is written, each write by itself; answers what ``answers`` knows an answer to."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire
        self.answers = dict(ANSWERS)
        self.heard: list[tuple[int, Any]] = []
        self.writes: list[bytes] = []
        self.held_up: list[bytes] | None = None
        """What was sent while the other side did not read; ``None`` while it does."""
        self._closing = False

    def write(self, data: Any) -> None:
        """Takes frames, which must be whole."""
        self.writes.append(bytes(data))
        rest = bytes(data)
        while rest:
            used, channel, value = frame.unmarshal(rest)
            rest = rest[used:]
            self.heard.append((channel, value))
            answer = self.answers.get(type(value))
            if answer is not None:
                asyncio.get_running_loop().call_soon(self.say, channel, answer)

    def say(self, channel: int, *values: Any) -> None:
        """Sends frames, all in one piece."""
        self.send(b"".join(frame.marshal(value, channel) for value in values))

    def send(self, data: bytes) -> None:
        """Sends bytes, unless the connection is closed."""
        if self.held_up is not None:
            self.held_up.append(data)
        elif not self._closing:
            self.wire.data_received(data)

    def pause_reading(self) -> None:
        self.held_up = []

    def resume_reading(self) -> None:
        """As the socket's: what was held up comes in later turns of the loop."""
        held_up, self.held_up = self.held_up or [], None
        for data in held_up:
            asyncio.get_running_loop().call_soon(self.send, data)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        asyncio.get_running_loop().call_soon(self.wire.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def kinds(self, channel: int) -> list[type[Any]]:
        """What was heard on a channel."""
        return [type(value) for number, value in self.heard if number == channel]


def linked() -> tuple[Link, Peer]:
    """A link that is logged in, and who it speaks to."""
    wire = Wire()
    peer = Peer(wire)
    control = Control(wire)
    wire.connection_made(peer)
    wire.agreed(FRAME_MAX, heartbeat=0)
    return Link(wire, control, Agreed(channel_max=4, frame_max=FRAME_MAX, version="", platform="")), peer


def delivery(tag: int, body: Sequence[bytes], *, redelivered: bool = False, **properties: Any) -> list[Any]:
    """The frames of a delivery whose body comes in these pieces."""
    size = sum(map(len, body))
    header = ContentHeader(0, size, commands.Basic.Properties(**properties))
    return [commands.Basic.Deliver("tag", tag, redelivered, "exchange", "key"), header, *map(ContentBody, body)]


def returned(**properties: Any) -> list[Any]:
    """The frames of a message that met no queue."""
    header = ContentHeader(0, 1, commands.Basic.Properties(**properties))
    return [commands.Basic.Return(312, "NO_ROUTE", "exchange", "key"), header, ContentBody(b"x")]
