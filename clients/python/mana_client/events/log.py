"""Reading the log ``credits.events.log``, a stream: from a position on, which is stored as events are handled.

A stream knows nothing of its readers. So the event at the position is read again: if it is not there, or is another
one, this is another log. Some before it are read again, too, so that repeats are known that follow it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

from pamqp.common import FieldTable, FieldValue

from mana_client.events.feed import Feed, lost, subscribed
from mana_client.events.model import Event, Gap, Item, LogGap, LogReplaced, Position, Start
from mana_client.events.positions import PositionStore
from mana_client.events.reading import OFFSET, Wanted, event_of
from mana_client.events.sequences import Sequences
from mana_client.link import Address, Lost

_LOG: Final = "credits.events.log"
_PREFETCH: Final = 500
_LOOK_BACK: Final = 2_000
"""Events before the position that are read again at the start."""
_SILENCE_SECONDS = 5.0
"""The event at the position is there, so it comes within this time; else it is looked where the log ends."""
_SKIPPED_MAX: Final = 1_000
"""Events that nobody wanted, of which the position is not stored."""


class _Replaced(Exception):
    """The log is another one than that of the position."""


class LogReader:
    """One reader, from its start to its end, over any number of connections."""

    def __init__(self, address: Address, store: PositionStore | None, start: Start, wanted: Wanted) -> None:
        self._address = address
        self._store = store
        self._begin: FieldValue = None if isinstance(start, Position) else start
        self._at = start if isinstance(start, Position) else None
        self._wanted = wanted
        self._look_back = _LOOK_BACK
        self._sequences = Sequences()
        self._skipped = 0

    async def items(self) -> AsyncGenerator[Item]:
        """Without end. Raises ``LoginRefused``, ``NotAllowed``, and what the store raises."""
        stored = None if self._store is None else await self._store.load()
        self._at = stored or self._at
        while True:
            feed = await subscribed(self._subscribe)
            try:
                async with aclosing(self._read(feed)) as items:
                    async for item in items:
                        yield item
            except Lost as error:
                await lost(_LOG, error)
            finally:
                await feed.close()

    async def _subscribe(self) -> Feed:
        if self._at is not None:
            return await self._open(self._first_read(self._at))
        begin, asked_at = self._begin, datetime.now(UTC)
        if begin == "next":
            # Where the connection is lost before anything came, or before it is known that it would, what comes
            # meanwhile must not be missed.
            self._begin = asked_at
        feed = await self._open(begin)
        if begin == "last":
            self._begin = asked_at
        return feed

    async def _open(self, begin: FieldValue) -> Feed:
        arguments: FieldTable = {OFFSET: begin}
        return await Feed.open(self._address, _LOG, prefetch=_PREFETCH, arguments=arguments)

    def _first_read(self, at: Position) -> int:
        return max(0, at.offset - self._look_back)

    async def _read(self, feed: Feed) -> AsyncGenerator[Item]:
        """Until the connection is lost (``Lost``), or it turns out that this is another log."""
        at, event = self._at, None
        if at is not None:
            try:
                event = await self._find(feed, at)
            except _Replaced:
                self._at, self._begin = None, "first"
                yield LogReplaced(at)
                return
            if event is not None and _offset(event) > at.offset + 1:
                yield LogGap(at.offset + 1, _offset(event))
        self._look_back = 0  # from here on it is remembered what was seen
        while True:
            if event is not None:
                items = self._judge(event)
                for item in items:
                    yield item
                await self._pass(event, is_handled=event in items, is_last=feed.is_empty)
            message = await feed.take()
            await feed.ask_for_more()
            event = event_of(message)

    async def _find(self, feed: Feed, at: Position) -> Event | None:
        """Reads up to the event at the position; answers the first one behind it where that one is no more."""
        begin, before = self._first_read(at), list[Event]()
        while True:
            message = await feed.take(_SILENCE_SECONDS)
            if message is None and not await self._is_held(at):
                raise _Replaced
            await feed.ask_for_more()
            event = event_of(message)
            if event is None:
                continue
            if _offset(event) < begin or (_offset(event) == at.offset and event.position != at):
                raise _Replaced
            if _offset(event) < at.offset:
                before.append(event)
                continue
            for seen in before:  # only now: of another log they would not have been seen
                self._sequences.see(seen)
            if event.position != at:
                return event
            self._sequences.see(event)
            return None

    async def _is_held(self, at: Position) -> bool:
        """Whether the log reaches as far as the position."""
        feed = await self._open("last")
        try:
            while (message := await feed.take(_SILENCE_SECONDS)) is not None:
                await feed.ask_for_more()
                event = event_of(message)
                if event is not None and _offset(event) >= at.offset:
                    return True
            return False
        finally:
            await feed.close()

    def _judge(self, event: Event) -> list[Item]:
        """What the caller is told of it."""
        verdict = self._sequences.see(event)
        items: list[Item] = []
        if isinstance(verdict, Gap) and self._wanted.user_id in {None, event.user_id}:
            items.append(verdict)
        if verdict != "repeat" and self._wanted.has(event):
            items.append(event)
        return items

    async def _pass(self, event: Event, *, is_handled: bool, is_last: bool) -> None:
        """It is behind us. What nobody wanted is stored as passed now and then, and where nothing more is waiting."""
        self._at = event.position
        self._skipped = 0 if is_handled else self._skipped + 1
        is_due = is_handled or is_last or self._skipped >= _SKIPPED_MAX
        if self._store is not None and event.position is not None and is_due:
            self._skipped = 0
            await self._store.save(event.position)


def _offset(event: Event) -> int:
    """Its place in the log; every event that was read there has one."""
    return -1 if event.position is None else event.position.offset
