"""One plain connection: it does not come back by itself, since leases come before consuming."""

from __future__ import annotations

import asyncio

from contracts.dialling import dialled
from workers.broker import methods
from workers.broker.address import Address
from workers.broker.calls import CALL_SECONDS
from workers.broker.channel import Channel, Listener
from workers.broker.control import Agreed, Control
from workers.broker.errors import BrokerLostError
from workers.broker.held import Held
from workers.broker.wire import Wire


class Link:
    """A connection to the broker, and its channels."""

    def __init__(self, wire: Wire, control: Control, agreed: Agreed) -> None:
        self.held = Held(wire)
        self._wire = wire
        self._control = control
        self._agreed = agreed

    @classmethod
    async def open(cls, url: str, name: str) -> Link:
        """Connects; ``name`` is what the broker's management shows.

        Raises ``BrokerLostError``, ``MemoryError``, and ``ValueError`` where the URL is no address of a broker.
        """
        address = Address.of(url)
        wire = Wire()
        control = Control(wire)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await _connect(wire, address)
                agreed = await control.log_in(address, name)
        except (OSError, BrokerLostError) as error:
            wire.give_up("not connected")
            if wire.starved is not None:
                raise wire.starved from error
            raise BrokerLostError(f"{name}: no connection to the broker: {error!r}") from error
        except BaseException:
            wire.give_up("not connected")
            raise
        return cls(wire, control, agreed)

    @property
    def lost(self) -> asyncio.Event:
        """Set once the connection is gone, whoever closed it."""
        return self._control.lost

    @property
    def reason(self) -> str:
        """Why it is gone."""
        return self._control.reason

    @property
    def blocked(self) -> bool:
        """True while the broker takes nothing from us for lack of memory or disk."""
        return self._control.blocked

    @property
    def server_version(self) -> str:
        """The broker's version as it tells it; empty where it tells none."""
        return self._agreed.version

    @property
    def server_platform(self) -> str:
        """What the broker runs on, such as ``Erlang/OTP 25.3``; empty where it tells nothing."""
        return self._agreed.platform

    async def channel(self, listener: Listener) -> Channel:
        """Opens a channel. Raises ``BrokerLostError``."""
        if self.lost.is_set():
            raise BrokerLostError(self.reason)
        taken = self._wire.receivers
        number = next((number for number in range(1, self._agreed.channel_max + 1) if number not in taken), None)
        if number is None:
            raise BrokerLostError(f"all {self._agreed.channel_max} channels are in use")
        channel = Channel(number, self._wire, self._agreed.frame_max, listener)
        try:
            await channel.call(methods.channel_open(), methods.CHANNEL_OPEN_OK)
        except BaseException:
            channel.leave()
            raise
        return channel

    async def close(self) -> None:
        """Says goodbye and closes, or goes without a goodbye.

        Raises the ``MemoryError`` that the connection ended with: a new connection would not mend that.
        """
        await self._control.close()
        if self._wire.starved is not None:
            raise self._wire.starved


async def _connect(wire: Wire, address: Address) -> None:
    certificates = address.certificates
    context = None if certificates is None else await asyncio.to_thread(certificates.context)
    reached = await dialled(address.host, address.port)
    named = None if context is None else address.host
    await asyncio.get_running_loop().create_connection(lambda: wire, sock=reached, ssl=context, server_hostname=named)
