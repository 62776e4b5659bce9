"""A settled batch goes out: events to their lanes, replies and acknowledgements to their inlets."""

from __future__ import annotations

from datetime import datetime

from contracts.replies import Done, Refused, Reply
from workers.intake.answering import Answer, answer, poisoned, refused
from workers.intake.batching import Portion
from workers.intake.holdings import Holdings
from workers.intake.reading import Item
from workers.intake.settling import Outcome, Poison, Settled
from workers.meters import Meters


def deliver(settled: Settled, holdings: Holdings, meters: Meters) -> None:
    """Sends all; what belongs to a partition that is not ours any more stays unanswered, and comes again."""
    for portion in settled.portions:
        if portion.inlet.partition in holdings.epochs and not portion.inlet.lost.is_set():
            portion.inlet.answer(portion.items, _answers(portion, settled, meters))
    for committed in settled.commits:
        for partition, happenings in committed.events.items():
            lane = holdings.lane(partition)
            if lane is not None:
                lane.offer(happenings)


def _answers(portion: Portion, settled: Settled, meters: Meters) -> list[Answer]:
    return [_answer(item, settled.outcomes.get(id(item)), settled.now, meters) for item in portion.items]


def _answer(item: Item, outcome: Outcome, now: datetime, meters: Meters) -> Answer:
    if item.rejected is not None:
        meters.commands.labels(item.rejected.command, item.rejected.error.code).inc()
        return refused(item, item.rejected, now)
    if item.request is None or outcome is None:
        raise AssertionError("a delivery without an outcome must not be answered")
    if isinstance(outcome, Poison):
        meters.commands.labels(item.request.command.type, "internal").inc()
        return poisoned(item, outcome.reason)
    meters.commands.labels(item.request.command.type, _result(outcome)).inc()
    return answer(item, outcome, now)


def _result(reply: Reply) -> str:
    if isinstance(reply, Refused):
        return reply.error.code
    return "replayed" if isinstance(reply, Done) and reply.replayed else "ok"
