"""Reading a durable queue of one's own, which the broker fills with events of some topics."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Final

from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelPreconditionFailed

from mana_client.errors import ManaError
from mana_client.events.feed import Feed, lost, subscribed
from mana_client.events.model import Item
from mana_client.events.reading import Wanted, event_of
from mana_client.events.sequences import Sequences
from mana_client.link import Address, Lost

_EXCHANGE: Final = "credits.events"
_PREFETCH: Final = 100


class QueueReader:
    """One reader, from its start to its end, over any number of connections. The queue itself is the position."""

    def __init__(self, address: Address, queue: str, topics: Collection[str], wanted: Wanted) -> None:
        self._address = address
        self._queue = queue
        self._topics = topics
        self._wanted = wanted
        self._sequences = Sequences()

    async def items(self) -> AsyncGenerator[Item]:
        """Without end. Raises ``LoginRefused``, ``NotAllowed``, and ``ManaError`` for another kind of queue."""
        while True:
            feed = await subscribed(self._subscribe)
            try:
                async with aclosing(self._read(feed)) as items:
                    async for item in items:
                        yield item
            except Lost as error:
                await lost(self._queue, error)
            finally:
                await feed.close()

    async def _subscribe(self) -> Feed:
        return await Feed.open(self._address, self._queue, prefetch=_PREFETCH, prepare=self._prepare)

    async def _prepare(self, channel: AbstractChannel) -> None:
        try:
            await channel.queue_declare(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
        except ChannelPreconditionFailed as error:
            raise ManaError(f"{self._queue} is another kind of queue: {error}") from error
        for topic in self._topics:
            await channel.queue_bind(self._queue, _EXCHANGE, topic)

    async def _read(self, feed: Feed) -> AsyncGenerator[Item]:
        """A gap is no news here: the queue gets what it is bound to, and not all of a user."""
        while True:
            event = event_of(await feed.take())
            if event is not None and self._sequences.see(event) != "repeat" and self._wanted.has(event):
                yield event
            await feed.acknowledge()  # only once the caller is done with it, which is when the next one is asked for
