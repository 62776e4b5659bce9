"""A settled batch goes out: events to their lanes, replies and acknowledgements to their inlets."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import structlog

from contracts.replies import Done, Refused, Reply
from workers.broker.consumer import Delivery
from workers.crash import crash
from workers.intake.answering import Answer, Kept, answer, dead_copy, poisoned, refused
from workers.intake.counting import count
from workers.intake.holdings import Holdings
from workers.intake.identifying import ids
from workers.intake.inlet import Inlet
from workers.intake.reading import Item
from workers.intake.settling import Outcome, Poison, Settled
from workers.meters import Meters

_log = structlog.get_logger(__name__)


class UnsettledError(Exception):
    """A delivery without an outcome, by a defect of ours: nothing of its portion may be acknowledged."""


def deliver(settled: Settled, holdings: Holdings, meters: Meters) -> None:
    """Sends all; what belongs to a partition that is not ours any more stays unanswered, and comes again.

    Raises ``UnsettledError``, and ``MemoryError``: the portion that it was about stays unanswered too.
    """
    results: Counter[tuple[str, str]] = Counter()
    oldest: Delivery | None = None  # the inlet that had something first is the first to be served
    for portion in settled.portions:
        if portion.inlet.partition in holdings.epochs and not portion.inlet.lost.is_set():
            if results:  # another channel of the batch is answered already
                crash("mid_ack")
            inlet, now = portion.inlet, settled.now
            answers = [_safely(inlet, item, settled.outcomes.get(id(item)), now, results) for item in portion.items]
            inlet.answer(portion.items, answers)
            oldest = oldest or portion.items[0].delivery
    count(results, oldest, settled.commits, meters)
    for committed in settled.commits:
        for partition, happenings in committed.events.items():
            lane = holdings.lane(partition)
            if lane is not None:
                lane.offer(happenings)


def _safely(inlet: Inlet, item: Item, outcome: Outcome, now: datetime, results: Counter[tuple[str, str]]) -> Answer:
    """An answer that cannot be written or framed must not come again and again, and take us down each time."""
    try:
        given = _answer(item, outcome, now, results)
        if given.reply is None:
            return given
        return Answer(given.reply, given.kept, given.kept_first, inlet.frame(given.reply))
    except (MemoryError, UnsettledError):
        raise
    except Exception:
        _log.exception("an answer could not be written: the message is kept instead", **ids(item))
        return Answer(kept=Kept(dead_copy(item, "internal: the answer could not be written", now)))


def _answer(item: Item, outcome: Outcome, now: datetime, results: Counter[tuple[str, str]]) -> Answer:
    if item.rejected is not None:
        results[item.rejected.command, item.rejected.error.code] += 1
        return refused(item, item.rejected, now)
    if item.request is None or outcome is None:
        raise UnsettledError(f"a delivery of partition {item.partition} has no outcome")
    if isinstance(outcome, Poison):
        results[item.request.command.type, "internal"] += 1
        return poisoned(item, outcome.reason, now)
    results[item.request.command.type, result_of(outcome)] += 1
    return answer(item, outcome, now)


def result_of(reply: Reply) -> str:
    """``ok``, ``replayed``, or the code of the error."""
    if isinstance(reply, Refused):
        return reply.error.code
    return "replayed" if isinstance(reply, Done) and reply.replayed else "ok"
