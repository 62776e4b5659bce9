"""What differs between a payment at Stripe and the purchase that it is for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from workers.ledger.purchases import RANKS
from workers.payments.reconciling.model import Difference, Here, Known, Mend, There, Told


class _Found(NamedTuple):
    what: str
    mend: Mend | None = None
    created: int = 0


def compare(payment: str, there: There | None, here: Here | None, settled: int) -> list[Difference]:
    """Every difference. What was made behind ``settled``, in seconds since 1970, may still be on its way to us."""
    found = _of_unknown(there) if here is None else _of_purchase(payment, there, here)
    purchase = None if here is None else here.id
    return [
        Difference(
            payment=payment,
            purchase=purchase,
            what=one.what,
            mend=one.mend,
            young=one.mend is not None and one.created > settled,
        )
        for one in found
    ]


def _of_unknown(there: There | None) -> Iterator[_Found]:
    if there is not None and there.claims and there.status == "succeeded":
        yield _Found(f"{_money(there)} came in for a purchase that is not here")


def _of_purchase(payment: str, there: There | None, here: Here) -> Iterator[_Found]:
    paid_by_it = here.paid and here.payment == payment
    if there is None or there.status != "succeeded":
        if paid_by_it:
            yield _Found(f"paid here, {f'{there.status} at Stripe' if there else 'and Stripe knows no such payment'}")
    elif here.paid and not paid_by_it:
        if _given_back(there) < there.cents:
            yield _Found(f"{_money(there)} came in once more: it is paid by {here.payment}")
    elif (there.cents, there.currency) != (here.cents, here.currency):
        yield _Found(f"{_money(there)} came in, the price is {here.cents} {here.currency}")
    else:
        if not here.paid:
            yield _Found("paid at Stripe, not here", Mend("payment", payment, "succeeded"), there.created)
        yield from _of_facts("refund", there.refunds, here.refunds)
        yield from _of_facts("dispute", there.disputes, here.disputes)


def _of_facts(
    kind: Literal["refund", "dispute"], theirs: Mapping[str, Told], ours: Mapping[str, Known]
) -> Iterator[_Found]:
    for name in sorted({*theirs, *ours}):
        told, known = theirs.get(name), ours.get(name)
        if told is None:
            yield _Found(f"{kind} {name}: unknown at Stripe")
        elif told.state is None:
            yield _Found(f"{kind} {name}: at Stripe its status is {told.status}, which means nothing to us")
        elif known is None or known.state != told.state:
            # What is known moves to higher states alone, so an event mends only what is higher at Stripe.
            higher = known is None or RANKS[told.state] > RANKS[known.state]
            mend = Mend(kind, name, told.state) if higher else None
            state = "unknown" if known is None else known.state
            yield _Found(f"{kind} {name}: {told.state} at Stripe, {state} here", mend, told.created)
        elif known.cents != told.cents:
            yield _Found(f"{kind} {name}: of {told.cents} at Stripe, of {known.cents} here")


def _given_back(there: There) -> int:
    back = [told.cents for told in there.refunds.values() if told.state == "succeeded"]
    return sum(back) + sum(told.cents for told in there.disputes.values() if told.state == "lost")


def _money(there: There) -> str:
    return f"{there.cents} {there.currency}"
