"""The stream ``credits.events.log``, read from a moment on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from bench.frames import BrokerError, Consumer, consume
from tests.faults.oracle.events import LOG, Event, Position, decode, positions

_PREFETCH: Final = 2_000
_ACK_EVERY: Final = 500
_SILENT_SECONDS: Final = 0.5
"""The log's end, where all that is expected has come."""
_GIVEN_UP_SECONDS: Final = 5.0
"""Of silence, where something is missing."""
_EARLIER_SECONDS: Final = 5.0


async def read_log(
    amqp_url: str, users: Collection[str] | None, expected: set[Position], since: float | None
) -> list[Event]:
    """The events of these users, in order, repeats included, from ``since`` (seconds since 1970) to the log's end.

    ``None``: of everybody, from the log's beginning. Raises ``BrokerError``.
    """
    reader = _Reader(None if users is None else set(users))
    offset = "first" if since is None else datetime.fromtimestamp(since - _EARLIER_SECONDS, UTC)
    reader.consumer = await consume(
        amqp_url, LOG, take=reader.take, lost=reader.lost, prefetch=_PREFETCH, arguments={"x-stream-offset": offset}
    )
    try:
        await reader.to_the_end(expected)
    finally:
        await reader.consumer.close()
    return reader.events


class _Reader:
    def __init__(self, users: set[str] | None) -> None:
        self.events: list[Event] = []
        self.consumer: Consumer
        self._users = users
        self._number = 0
        self._error: BrokerError | None = None

    def take(self, tag: int, body: bytes) -> None:
        """One event; the acknowledgement asks for more."""
        self._number += 1
        event = decode(body)
        if self._users is None or event.subject in self._users:
            self.events.append(event)
        if tag % _ACK_EVERY == 0:
            self.consumer.ack_up_to(tag)

    def lost(self, error: BrokerError) -> None:
        """The connection's end."""
        self._error = error

    async def to_the_end(self, expected: set[Position]) -> None:
        """Returns when nothing comes any more."""
        while True:
            number = self._number
            await asyncio.sleep(_SILENT_SECONDS)
            if self._number == number and expected <= positions(self.events):
                return
            if self._number == number:
                await asyncio.sleep(_GIVEN_UP_SECONDS)
            if self._error is not None:
                raise self._error
            if self._number == number:
                return
