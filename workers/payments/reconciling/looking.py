"""Stripe's side: its payments with all that became of them, from its lists, or asked for one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from workers.payments.asking import DeniedError, Stripe
from workers.payments.model import OBJECTS, Dispute, PaymentIntent, Refund
from workers.payments.reading import named, names_purchase
from workers.payments.reconciling.model import There, Told
from workers.payments.translation import dispute_state, refund_state

TYPES: Final = sorted(OBJECTS)
"""Types of the events that are looked for: those that mean something to the ledger. Stripe takes twenty at most."""


Kind = TypeVar("Kind")


class _Created(Struct, frozen=True):
    created: int


class Found(Struct, frozen=True):
    """A payment, and Stripe's own words for each of the objects that it consists of, by their ids."""

    there: There
    bodies: dict[str, bytes]


class GivenBack(Struct, frozen=True):
    """Refunds and disputes by their payment, and Stripe's own words for each of them by its id."""

    refunds: defaultdict[str, dict[str, Told]]
    disputes: defaultdict[str, dict[str, Told]]
    bodies: dict[str, bytes]


class Looking:
    """Everything here raises ``StripeAwayError``, ``DeniedError``."""

    def __init__(self, stripe: Stripe) -> None:
        self._stripe = stripe

    def events(self, since: int) -> AsyncIterator[list[Raw]]:
        """Events from then on that mean something to us. Stripe lists them for thirty days."""
        return self._stripe.pages("events", {"created": {"gte": since}, "types": TYPES})

    async def given_back(self, wish: Mapping[str, Any]) -> GivenBack:
        """The refunds and disputes that ``wish`` asks for: of a payment, or from some time on."""
        found = GivenBack(defaultdict(dict), defaultdict(dict), {})
        async for page in self._stripe.pages("refunds", wish):
            for body in page:
                refund, created = _read(body, Refund), _read(body, _Created).created
                if refund.payment_intent is not None:
                    told = Told(refund.amount, refund_state(refund), str(refund.status), created)
                    found.refunds[refund.payment_intent][refund.id] = told
                    found.bodies[refund.id] = bytes(body)
        async for page in self._stripe.pages("disputes", wish):
            for body in page:
                dispute, created = _read(body, Dispute), _read(body, _Created).created
                if dispute.payment_intent is not None:
                    told = Told(dispute.amount, dispute_state(dispute), dispute.status, created)
                    found.disputes[dispute.payment_intent][dispute.id] = told
                    found.bodies[dispute.id] = bytes(body)
        return found

    async def payments(self, since: int, given_back: GivenBack) -> AsyncIterator[list[Found]]:
        """Payments that were begun from then on, with what was given back of them."""
        async for page in self._stripe.pages("payment_intents", {"created": {"gte": since}}):
            yield [_joined(body, given_back) for body in page]

    async def payment(self, name: str, given_back: GivenBack | None = None) -> Found | None:
        """One, as it is now, with all that was given back of it unless that is named; ``None`` where Stripe knows
        none."""
        body = await self._stripe.find_payment(name)
        if body is None:
            return None
        return _joined(body, given_back or await self.given_back({"payment_intent": name}))


def _joined(body: bytes | Raw, given_back: GivenBack) -> Found:
    payment = _read(body, PaymentIntent)
    refunds, disputes = given_back.refunds.get(payment.id, {}), given_back.disputes.get(payment.id, {})
    there = There(
        id=payment.id,
        status=payment.status,
        cents=payment.amount_received,
        currency=payment.currency,
        created=_read(body, _Created).created,
        claims=names_purchase(payment),
        named=named(payment),
        refunds=refunds,
        disputes=disputes,
    )
    bodies = {name: given_back.bodies[name] for name in (*refunds, *disputes)}
    return Found(there, {payment.id: bytes(body), **bodies})


def _read(body: bytes | Raw, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise DeniedError(f"Stripe lists what cannot be read: {error}") from error
