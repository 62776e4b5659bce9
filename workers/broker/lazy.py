"""FastStream's broker for low rates: it connects when there is something to send, so processes start without it."""

from __future__ import annotations

from faststream.rabbit import Channel, RabbitBroker


class LazyBroker(RabbitBroker):
    """The application's broker, whose start is put off. Only publishes; consumers have ways of their own."""

    def __init__(self, url: str) -> None:
        super().__init__(url, logger=None, default_channel=Channel(on_return_raises=True))

    async def start(self) -> None:
        """Nothing yet."""

    async def start_now(self) -> None:
        """Connects, unless that is done; raises what the library raises."""
        if not self.running:
            await super().start()
