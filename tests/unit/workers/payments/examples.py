"""Events as Stripe writes them, as far as we read them; and a purchase that they are of."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from contracts.commands import operation
from workers.payments.model import Asked, Commands, Dispute, Known, Named, PaymentIntent, Purchase, Refund, Translation
from workers.payments.reading import event
from workers.payments.translation import translate

USER: Final = "0190b4a0-0000-7000-8000-000000000001"
PURCHASE: Final = "0190b4a0-0000-7000-8000-000000000002"
METADATA: Final = {"user_id": USER, "purchase_id": PURCHASE}
SESSION, INTENT = "cs_test_1", "pi_1"
PRICE: Final = 500

Json = dict[str, Any]

PENDING: Final = Purchase(account_id=USER, id=PURCHASE, amount=PRICE, currency="eur", paid=False)
PAID: Final = msgspec.structs.replace(PENDING, paid=True, payment_intent=INTENT, session=SESSION)
BY_NAME: Final = Known(by_name={Named(USER, PURCHASE): PENDING})
BY_PAYMENT: Final = Known(by_payment={INTENT: PAID})


def session(**fields: Any) -> Json:
    """A paid checkout."""
    return {
        "id": SESSION,
        "payment_status": "paid",
        "payment_intent": INTENT,
        "amount_total": PRICE,
        "currency": "eur",
        "metadata": METADATA,
        **fields,
    }


def intent(**fields: Any) -> Json:
    """A payment that has come in."""
    money = {"currency": "eur", "amount_received": PRICE}
    return {"id": INTENT, "status": "succeeded", **money, "last_payment_error": None, "metadata": METADATA, **fields}


def refund(status: str | None = "succeeded", **fields: Any) -> Json:
    """Of a part of the payment."""
    money = {"amount": 200, "currency": "eur"}
    return {"id": "re_1", **money, "status": status, "payment_intent": INTENT, "metadata": {}, **fields}


def dispute(status: str = "needs_response", **fields: Any) -> Json:
    """Of the whole payment."""
    return {"id": "dp_1", "amount": PRICE, "currency": "eur", "status": status, "payment_intent": INTENT, **fields}


def body(kind: str, about: Json, **fields: Any) -> bytes:
    """An event as it comes."""
    return json.dumps(
        {"id": "evt_1", "type": kind, "livemode": False, "created": 1, "data": {"object": about}, **fields}
    ).encode()


def translated(
    kind: str, about: Json, known: Known = BY_NAME, asked: Asked | None = None, live: bool | None = False, **fields: Any
) -> Translation:
    """What an event means."""
    return translate(event(body(kind, about, **fields)), known, asked or Asked(), live)


def told(result: Translation) -> list[tuple[str, str]]:
    """The keys and operations of commands."""
    assert isinstance(result, Commands), result
    assert result.account_id == USER
    assert {(one.user_id, one.purchase_id) for one in result.commands} == {(USER, PURCHASE)}
    return [(one.idempotency_key, operation(one)) for one in result.commands]


def keys(result: Translation) -> list[str]:
    """The keys of commands."""
    return [key for key, _ in told(result)]


def answered(payment: Json | None = None, refunds: list[Json] | None = None, of_dispute: Json | None = None) -> Asked:
    """What Stripe said."""
    return Asked(
        payments={} if payment is None else {INTENT: msgspec.convert(payment, PaymentIntent)},
        refunds={} if refunds is None else {INTENT: msgspec.convert(refunds, list[Refund])},
        disputes={} if of_dispute is None else {"dp_1": msgspec.convert(of_dispute, Dispute)},
    )
