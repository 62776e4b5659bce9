"""From messages to events, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from aiormq.abc import DeliveredMessage

from mana_client.events.feed import log
from mana_client.events.model import Event, read_event

OFFSET: Final = "x-stream-offset"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events the caller wants: of these types, of this user; ``None`` for all."""

    types: Collection[str] | None
    user_id: str | None

    def has(self, event: Event) -> bool:
        """Whether it is one of them."""
        return (self.types is None or event.type in self.types) and self.user_id in {None, event.user_id}


def event_of(message: DeliveredMessage | None) -> Event | None:
    """The event in a message; ``None`` where there is none, which is told in the log and passed over."""
    if message is None:
        return None
    offset = (message.header.properties.headers or {}).get(OFFSET)
    try:
        return read_event(message.body, offset if isinstance(offset, int) else None)
    except (ValueError, KeyError, TypeError) as error:
        log.error("a message is no event (%r): %r", error, message.body[:300])
        return None
