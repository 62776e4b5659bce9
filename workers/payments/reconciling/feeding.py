"""Queues events where the front queues Stripe's webhooks, each confirmed by the broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self

from msgspec import Struct

from contracts.replies import CONTENT_TYPE
from contracts.topology import STRIPE_EXCHANGE
from workers.broker.address import Address
from workers.broker.errors import BrokerLostError
from workers.broker.frames import PERSISTENT, properties
from workers.broker.link import Link
from workers.broker.publisher import Publication, Publisher, Verdict

_CONFIRM_SECONDS: Final = 15.0


class FeedError(Exception):
    """The broker did not take all events, or did not say so."""


class Fed(Struct, frozen=True):
    """An event as it goes out."""

    id: str
    body: bytes


class Feed:
    """The way in, on a connection of its own."""

    def __init__(self, publisher: Publisher, login: str) -> None:
        self._publisher = publisher
        self._login = login

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, name: str) -> AsyncGenerator[Self]:
        """Connected until the block ends. Raises ``FeedError``."""
        try:
            link = await Link.open(url, name)
        except (BrokerLostError, TimeoutError) as error:
            raise FeedError(f"RabbitMQ cannot be reached: {error}") from error
        try:
            yield cls(await Publisher.open(link), Address.of(url).login)
        except BrokerLostError as error:
            raise FeedError(f"RabbitMQ went away: {error}") from error
        finally:
            await link.close()

    async def put(self, events: Sequence[Fed]) -> None:
        """Returns once all are queued and safe. Raises ``FeedError``: some may be."""
        waiting = [self._sent(event) for event in events]
        done, late = await asyncio.wait(waiting, timeout=_CONFIRM_SECONDS) if waiting else (set(), set())
        refused = {verdict for one in done if (verdict := one.result()) is not Verdict.CONFIRMED}
        if refused or late:
            said = ", ".join(sorted(verdict.value for verdict in refused)) or "no answer"
            raise FeedError(f"RabbitMQ did not take all events: {said}")

    def _sent(self, event: Fed) -> asyncio.Future[Verdict]:
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        header = properties(
            content_type=CONTENT_TYPE, delivery_mode=PERSISTENT, message_id=event.id, user_id=self._login
        )
        message = Publication(STRIPE_EXCHANGE, "", event.id, header, event.body)
        self._publisher.publish(message, lambda value: None if verdict.done() else verdict.set_result(value))
        return verdict
