"""Tells subscribers what happened to users: from the outbox to the broker, at least once, in order for each user.

A row goes only after the broker's confirm. Who dies in between leaves it to the next, which sends it again, the same to
the byte. Two relays side by side do no harm: one of them tells, the other looks again later.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final
from uuid import UUID

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from api.broker.commands import Full, NoAnswer, Notice, Put
from api.crash import crash
from api.database import Database
from api.errors import Unavailable
from api.relay import events
from api.relay.events import PendingEvent
from api.running import again_and_again
from contracts.events import EVENT_CONTENT_TYPE, encode_event, event_routing_key
from contracts.topology import EVENTS_EXCHANGE, EVENTS_LOG

POLL_SECONDS: Final = 0.5
_BEFORE_ALL: Final = 0
_DEFAULT_EXCHANGE: Final = ""

_log = structlog.get_logger(__name__)


class TellingMetrics:
    """What waits, and what was told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge("mana_user_events_waiting", "Events of users that are not told", registry=registry)
        self.oldest = Gauge("mana_user_events_oldest_seconds", "Age of the oldest of them", registry=registry)
        self.told = Counter("mana_user_events_told", "Events of users that the broker took", registry=registry)
        self.refused = Counter(
            "mana_user_events_refused", "Those that a subscriber's queue refused, and the log took", registry=registry
        )


class Telling:
    """Run ``follow`` as a task for as long as the process lives."""

    def __init__(self, database: Database, put: Put, metrics: TellingMetrics) -> None:
        self._database = database
        self._put = put
        self._metrics = metrics

    async def follow(self) -> None:
        """Looks for what waits, again and again; ends only when it is cancelled."""
        await again_and_again(
            self.tell_all, POLL_SECONDS, lambda reason: _log.warning("events of users wait", reason=reason)
        )

    async def tell_all(self) -> None:
        """Tells all that waits, page by page; what cannot be told holds up the same user's, and no other's.

        Raises ``Unavailable`` where nothing can be read or removed.
        """
        await self._measure()
        after: int | None = _BEFORE_ALL
        held: set[UUID] = set()
        while after is not None:
            after = await self._tell_page(after, held)

    async def _tell_page(self, after: int, held: set[UUID]) -> int | None:
        """Where the next page begins, if there may be one. Adds to ``held`` whose events must wait."""
        async with self._database.transaction() as connection:
            if not await events.hold(connection):
                return None
            page = await events.list_after(connection, after)
            users = _by_user(pending for pending in page if pending.user_id not in held)
            told = [number for numbers in await asyncio.gather(*map(self._tell, users.values())) for number in numbers]
            if told:
                await events.remove(connection, told)
        self._metrics.told.inc(len(told))
        held.update(user for user, waiting in users.items() if waiting[-1].number not in told)
        return page[-1].number if len(page) == events.PAGE else None

    async def _measure(self) -> None:
        async with self._database.transaction() as connection:
            waiting, oldest = await events.measure(connection)
        self._metrics.waiting.set(waiting)
        self._metrics.oldest.set(oldest)

    async def _tell(self, waiting: list[PendingEvent]) -> list[int]:
        """One user's events, in order, up to the first that fails: the numbers of those that the broker has."""
        told: list[int] = []
        for pending in waiting:
            if not await self._tell_one(pending):
                break
            told.append(pending.number)
        return told

    async def _tell_one(self, pending: PendingEvent) -> bool:
        try:
            notice = _notice(pending)
            crash("events_before_send")
            await self._send(notice)
        except (KeyError, msgspec.ValidationError) as error:
            _log.error("what waits is no event", number=pending.number, type=pending.type, reason=repr(error))
            return False
        except (Unavailable, NoAnswer) as error:
            _log.warning("an event of a user waits", number=pending.number, type=pending.type, reason=repr(error))
            return False
        crash("events_after_send")
        return True

    async def _send(self, notice: Notice) -> None:
        """Where a subscriber's queue takes no more, its owner's loss must not be the others': the log has it then."""
        try:
            await self._put(notice)
        except Full:
            self._metrics.refused.inc()
            await self._put(replace(notice, exchange=_DEFAULT_EXCHANGE, routing_key=EVENTS_LOG))


def _notice(pending: PendingEvent) -> Notice:
    event = pending.event()
    return Notice(
        name="user.event",
        exchange=EVENTS_EXCHANGE,
        body=encode_event(event),
        message_id=event.id,
        routing_key=event_routing_key(event.type, None),
        content_type=EVENT_CONTENT_TYPE,
        type=event.type,
    )


def _by_user(page: Iterable[PendingEvent]) -> dict[UUID, list[PendingEvent]]:
    users: defaultdict[UUID, list[PendingEvent]] = defaultdict(list)
    for pending in page:
        users[pending.user_id].append(pending)
    return users
