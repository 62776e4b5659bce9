"""The one sender of a channel: a batch's replies and acknowledgement, before anything of the next batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable

import structlog
from msgspec import Struct

from workers.broker.consumer import Consumer, Reply
from workers.crash import crash
from workers.intake.answering import Answer, Kept

_log = structlog.get_logger(__name__)

Keep = Callable[[Kept], Coroutine[None, None, None]]
"""Publishes what has no other memory; done once it is confirmed."""


class _Parcel(Struct):
    """A batch's share of one channel: ``tag`` is its last delivery, ``unconfirmed`` what the ack waits for.

    ``replies`` leave at once, ``held`` after the confirms, ``late`` after the ack and elsewhere.
    """

    tag: int
    replies: list[bytes]
    held: list[bytes]
    late: list[Reply]
    unconfirmed: int
    answered: bool = False


class Outbox:
    """Sends in the order of delivery. An ack never overtakes its replies, nor the confirm of what is kept."""

    def __init__(self, consumer: Consumer, keep: Keep, send_late: Callable[[Reply], None]) -> None:
        self._consumer = consumer
        self._keep = keep
        self._send_late = send_late
        self._parcels: deque[_Parcel] = deque()
        self._keeping: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def send(self, tag: int, answers: Iterable[tuple[Answer, bool]]) -> None:
        """Sends the answers to all deliveries up to ``tag``; the flag says that a reply may be dangerous."""
        parcel = _Parcel(tag, [], [], [], 0)
        for answer, dangerous in answers:
            if answer.reply is not None and dangerous:
                parcel.late.append(answer.reply)
            elif answer.reply is not None:
                (parcel.held if answer.kept_first else parcel.replies).append(answer.frames)
            if answer.kept is not None:
                self._start_keeping(parcel, answer.kept)
        self._parcels.append(parcel)
        self._idle.clear()
        self._flush()

    async def drained(self) -> None:
        """Returns once all is sent and acknowledged."""
        await self._idle.wait()

    def close(self) -> None:
        """Forgets what waits: its deliveries come again."""
        self._parcels.clear()
        for task in self._keeping:
            task.cancel()
        self._idle.set()

    def _flush(self) -> None:
        while self._parcels:
            parcel = self._parcels[0]
            if not parcel.answered:
                self._answer(parcel.replies)
                parcel.answered = True
                crash("after_reply")
            if parcel.unconfirmed:
                return
            self._answer(parcel.held)
            crash("before_ack")
            self._consumer.ack(parcel.tag)
            crash("after_ack")
            for reply in parcel.late:
                self._send_late(reply)
            self._parcels.popleft()
        self._idle.set()

    def _answer(self, replies: list[bytes]) -> None:
        """One reply, then the others: so a test can come between them."""
        self._consumer.answer(replies[:1])
        if len(replies) > 1:
            crash("mid_replies")
            self._consumer.answer(replies[1:])

    def _start_keeping(self, parcel: _Parcel, kept: Kept) -> None:
        parcel.unconfirmed += 1
        task = asyncio.get_running_loop().create_task(self._keep(kept))
        self._keeping.add(task)
        task.add_done_callback(lambda done: self._on_kept(parcel, done))

    def _on_kept(self, parcel: _Parcel, task: asyncio.Task[None]) -> None:
        self._keeping.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            _log.error("not kept, so never acknowledged: the channel is given up", error=repr(error))
            self._consumer.lose(f"a message could not be kept: {error!r}")
            return
        parcel.unconfirmed -= 1
        self._flush()
