"""Faults in what is made of a payment, in the payments worker and in the ledger: ``tests.payments`` must find them."""

# pyright: reportPrivateUsage=false
# A fault sits inside of what it spoils.

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from contracts import stripe
from contracts.commands import Buy, operation
from contracts.errors import Error
from contracts.replies import Done
from tests.faults.mutants.patching import replace
from workers.ledger.model import Request
from workers.ledger.purchases import Purchase
from workers.ledger.rules import deciding, paying
from workers.ledger.rules.batch import Batch, Purse
from workers.ledger.rules.journal import Draft, post
from workers.payments import keeping, telling, translation
from workers.payments.keeping import Keeping
from workers.payments.model import Commands
from workers.payments.reading import Incoming
from workers.payments.sending import Sending
from workers.payments.store import Claimed, Step

_LATER_SECONDS: Final = 0.5


def acknowledged_before_kept() -> None:
    """Events are acknowledged when they come, and kept in the next half second.

    What came and is not kept when the worker dies is gone: Stripe had its 200, and never tells it again.
    """

    def buffering(keep: Callable[[Keeping, bytes], Awaitable[None]]) -> Callable[[Keeping, bytes], Awaitable[None]]:
        waiting = set[asyncio.Task[None]]()

        async def kept_later(place: Keeping, body: bytes) -> None:
            await asyncio.sleep(_LATER_SECONDS)
            await keep(place, body)

        async def taken(place: Keeping, body: bytes) -> None:
            task = asyncio.create_task(kept_later(place, body))
            waiting.add(task)
            task.add_done_callback(waiting.discard)

        return taken

    replace(Keeping, "keep", buffering)


def done_before_sent() -> None:
    """An event is done when it is translated, and its commands are sent in the next half second.

    What is not sent when the worker dies is never sent, and the purchase stays as it was.
    """

    def sending(send: Callable[[Sending, Sequence[Commands]], Awaitable[list[bool]]]) -> Callable[..., Any]:
        waiting = set[asyncio.Task[None]]()

        async def sent_later(way: Sending, told: Sequence[Commands]) -> None:
            await asyncio.sleep(_LATER_SECONDS)
            await send(way, told)

        async def sent(way: Sending, told: Sequence[Commands]) -> list[bool]:
            task = asyncio.create_task(sent_later(way, told))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            return [True for _ in told]

        return sent

    def stepping(_: Callable[..., Step]) -> Callable[..., Step]:
        def step(event: Claimed, commands: Commands) -> Step:
            return Step(id=event.id, account_id=commands.account_id, outcome="done")

        return step

    replace(Sending, "send", sending)
    replace(telling, "_sent", stepping)


def credited_by_each_event() -> None:
    """A payment has another key each time that it is told, and the ledger credits each key."""

    def buying(buy: Callable[..., Done | Error]) -> Callable[..., Done | Error]:
        def bought(batch: Batch, purse: Purse, request: Request, command: Buy) -> Done | Error:
            purchase = paying._purchase(batch, purse, command)
            if purchase is None or command.paid is None or not purchase.is_paid:
                return buy(batch, purse, request, command)
            return _credited_again(batch, purse, request, purchase, command)

        return bought

    def new_key(intent: str) -> str:
        return f"stripe:purchase:{intent}:{uuid.uuid4()}"

    replace(stripe, "paid_key", lambda _: new_key)
    replace(deciding, "buy", buying)


def _credited_again(batch: Batch, purse: Purse, request: Request, purchase: Purchase, command: Buy) -> Done:
    draft = Draft(
        type="purchase",
        amount=purchase.credits,
        other="system:stripe",
        key=command.idempotency_key,
        operation=operation(command),
        origin=request.actor.origin,
        description="once more",
    )
    purse.account.total_earned += purchase.credits
    return post(batch, purse, request, draft, [paying.add_lot(batch, purse, "purchase", purchase.credits)])


def repeats_kept_as_new() -> None:
    """An event that comes again is kept again, under an id of its own, and worked off like a new one.

    The ledger bears this: the keys of its commands are the payment's and not the event's.
    """
    seen = set[str]()

    def reading(incoming: Callable[[bytes], Incoming]) -> Callable[[bytes], Incoming]:
        def read(body: bytes) -> Incoming:
            event = incoming(body)
            if event.id in seen:
                return msgspec.structs.replace(event, id=f"{event.id}_{uuid.uuid4().hex}")
            seen.add(event.id)
            return event

        return read

    replace(keeping, "incoming", reading)


def newest_word_counts() -> None:
    """The ledger believes what it was told last of a refund or a dispute, also where that is old news."""

    def learning(_: Callable[..., None]) -> Callable[..., None]:
        def learned(known: dict[str, Any], name: str, told: Any) -> None:
            known[name] = told

        return learned

    replace(paying, "learn", learning)


def payment_not_told_first() -> None:
    """What is told of a refund or a dispute does not begin with its payment: the ledger may hear of that afterwards.

    It bears this: facts that came before the payment are noted, and settled with it.
    """

    def shortening(told: Callable[..., translation._Payment]) -> Callable[..., translation._Payment]:
        def without(*given: Any) -> translation._Payment:
            return msgspec.structs.replace(told(*given), commands=())

        return without

    replace(translation, "_told", shortening)
