"""Faults in when a delivery is acknowledged."""

# pyright: reportPrivateUsage=false
# A fault sits inside of what it spoils.

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from tests.faults.mutants.patching import replace
from workers.broker.consumer import Consumer, Delivery
from workers.intake import delivering
from workers.intake.answering import Answer
from workers.intake.batching import Portion
from workers.intake.inlet import Inlet
from workers.intake.reading import Item
from workers.intake.settling import Settled, Settler


def ack_before_commit() -> None:
    """Deliveries are acknowledged when they are taken, as a queue without acknowledgements does it.

    What was taken and not committed when the worker dies is gone, and nobody was told anything. Equation 9, before the
    unknown is resolved: confirmed by the broker, and neither row nor refusal nor dead copy. S01 at ``before_commit``
    (any point from ``before_begin`` on), S05.
    """
    ack = Consumer.ack

    def taking(take: Callable[[Inlet, int], list[Item]]) -> Callable[[Inlet, int], list[Item]]:
        def acknowledged(inlet: Inlet, limit: int) -> list[Item]:
            items = take(inlet, limit)
            if items:
                ack(inlet._consumer, items[-1].delivery.tag)
            return items

        return acknowledged

    replace(Inlet, "take", taking)
    replace(Consumer, "ack", lambda _: _nothing)


def failed_batch_acks_all() -> None:
    """A batch is acknowledged, whatever became of it: ``finally: ack``.

    One command that the database rejects takes all its neighbours with it, and so does a lost connection. Nobody is
    told anything. Equation 9, before the unknown is resolved. S13 (neighbours of the rejected one), S06 and S08.
    """

    def settling(settle: Callable[..., Awaitable[Settled]]) -> Callable[..., Awaitable[Settled]]:
        async def settled(settler: Settler, portions: list[Portion]) -> Settled:
            try:
                return await settle(settler, portions)
            except BaseException:
                for portion in portions:
                    portion.inlet._consumer.ack(portion.items[-1].delivery.tag)
                raise

        return settled

    def answering(answer: Callable[..., Answer]) -> Callable[..., Answer]:
        def answered(item: Item, outcome: object, *given: Any) -> Answer:
            return Answer() if item.rejected is None and outcome is None else answer(item, outcome, *given)

        return answered

    replace(Settler, "settle", settling)
    replace(Settler, "_halved", lambda _: _no_parts)
    replace(delivering, "_answer", answering)


def ack_multiple_over_uncommitted() -> None:
    """An ack says ``multiple``, and reaches up to the newest delivery instead of the batch's last.

    What waits in the prefetch, and what the next batch holds, is acknowledged before it is committed, and gone when the
    worker dies. Equation 9, before the unknown is resolved. S05, S04, S01 under load at any point up to
    ``before_commit`` from its second pass on.
    """
    newest: WeakKeyDictionary[Consumer, int] = WeakKeyDictionary()
    reached: WeakKeyDictionary[Consumer, int] = WeakKeyDictionary()

    def noting(on_delivery: Callable[[Inlet, Delivery], None]) -> Callable[[Inlet, Delivery], None]:
        def noted(inlet: Inlet, delivery: Delivery) -> None:
            newest[inlet._consumer] = delivery.tag
            on_delivery(inlet, delivery)

        return noted

    def reaching(ack: Callable[[Consumer, int], None]) -> Callable[[Consumer, int], None]:
        def acknowledged(consumer: Consumer, tag: int) -> None:
            tag = max(tag, newest.get(consumer, 0))
            if tag > reached.get(consumer, 0):  # the broker closes a channel that acknowledges what it has already
                reached[consumer] = tag
                ack(consumer, tag)

        return acknowledged

    replace(Inlet, "_on_delivery", noting)
    replace(Consumer, "ack", reaching)


def _nothing(*_: Any) -> None:
    return


def _no_parts(*_: Any) -> list[list[Item]]:
    """What is left to be tried of a batch that was rejected."""
    return []
