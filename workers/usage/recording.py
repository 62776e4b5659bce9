"""From messages to rows: a batch read, counted and told in figures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import structlog

from workers.broker.framed_stream import StreamMessage
from workers.ledger.faults import BatchRejected
from workers.usage.following import place_of
from workers.usage.meters import UsageMeters
from workers.usage.model import Entry, Place
from workers.usage.reading import UnreadableError, read
from workers.usage.store import UsageStore

_log = structlog.get_logger(__name__)


class Recording:
    """Counts batches into a store."""

    def __init__(self, store: UsageStore, meters: UsageMeters) -> None:
        self._store = store
        self._meters = meters

    async def record(self, batch: list[StreamMessage], *, moving: bool) -> list[Entry]:
        """Counts what a batch tells of; ``moving``: and moves the place in the stream. Raises a ``Fault``."""
        entries = list(self._entries(batch))
        place = place_of(batch) if moving else None
        try:
            counted = await self._store.count(entries, place)
        except BatchRejected as rejected:
            await self._from_ledger(entries, place, rejected)
        else:
            self._meters.events.labels("repeated").inc(counted.repeats)
            self._meters.events.labels("new").inc(len(entries) - counted.repeats)
            self._meters.healed.inc(len(counted.behind))
        if entries:
            self._meters.lag.set((datetime.now(UTC) - entries[-1].at).total_seconds())
        return entries

    async def _from_ledger(self, entries: list[Entry], place: Place | None, rejected: BatchRejected) -> None:
        """No event of the ledger's comes to rows that the database does not take, but one of somebody else's may."""
        _log.error("a batch of events cannot be counted: the ledger tells what is true of it", reason=str(rejected))
        accounts = {entry.account_id for entry in entries}
        self._meters.healed.inc(await self._store.count_from_ledger(accounts, place))

    def _entries(self, batch: Iterable[StreamMessage]) -> Iterable[Entry]:
        for message in batch:
            try:
                entry = read(message.body)
            except UnreadableError as error:
                _log.warning("an event cannot be read", offset=message.offset, reason=str(error))
                self._meters.events.labels("unreadable").inc()
                continue
            if entry is None:
                self._meters.events.labels("other").inc()
            else:
                yield entry
