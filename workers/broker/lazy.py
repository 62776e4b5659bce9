"""FastStream's broker for low rates: it connects when there is something to do, so processes start without it."""

from __future__ import annotations

from faststream.rabbit import Channel, RabbitBroker


class LazyBroker(RabbitBroker):
    """The application's broker, whose start is put off. When it stops, what it has in hand gets ``graceful_timeout``
    seconds."""

    def __init__(self, url: str, *, graceful_timeout: float | None = None) -> None:
        channel = Channel(on_return_raises=True)
        super().__init__(url, logger=None, default_channel=channel, graceful_timeout=graceful_timeout)

    async def start(self) -> None:
        """Nothing yet."""

    async def start_now(self) -> None:
        """Connects, unless that is done; raises what the library raises."""
        if not self.running:
            await super().start()
