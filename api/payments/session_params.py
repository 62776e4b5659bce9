"""What a Checkout session is to be. Pure, and the same for the same purchase: Stripe compares it with what it was sent
under the same idempotency key."""

from __future__ import annotations

from typing import Final

from stripe.params.checkout import (
    SessionCreateParams,
    SessionCreateParamsLineItem,
    SessionCreateParamsPaymentIntentData,
)

from api.payments.model import Begun, Offer, Order, Payer
from contracts.stripe import PURCHASE_ID, USER_ID

LIFE_SECONDS: Final = 3_600
"""From the purchase's beginning. Stripe wants 30 minutes at least, and a purchase waits 25 for its session."""
SUCCESS_PATH: Final = "/purchases/success"
CANCEL_PATH: Final = "/purchases/cancelled"


def session_params(
    payer: Payer, order: Order, begun: Begun, offer: Offer, *, customer: str, site: str
) -> SessionCreateParams:
    """``site`` is our own address, where the payer is led unless the order says otherwise."""
    metadata = {PURCHASE_ID: str(begun.id), USER_ID: str(payer.user_id)}
    payment: SessionCreateParamsPaymentIntentData = {"metadata": metadata}
    if order.save_payment_method:
        payment["setup_future_usage"] = "off_session"
    return {
        "mode": "payment",
        "client_reference_id": str(begun.id),
        "customer": customer,
        "line_items": [_line(begun, offer)],
        "metadata": metadata,
        "payment_intent_data": payment,
        "success_url": order.success_url or f"{site}{SUCCESS_PATH}",
        "cancel_url": order.cancel_url or f"{site}{CANCEL_PATH}",
        "expires_at": int(begun.created_at.timestamp()) + LIFE_SECONDS,
        # What is paid is to be the purchase's own currency.
        "adaptive_pricing": {"enabled": False},
    }


def _line(begun: Begun, offer: Offer) -> SessionCreateParamsLineItem:
    """At Stripe's own price, unless ours has changed since the purchase began."""
    if offer.stripe_price_id is not None and offer.amount == begun.amount:
        return {"price": offer.stripe_price_id, "quantity": 1}
    return {
        "price_data": {
            "currency": begun.currency,
            "unit_amount": begun.amount,
            "product_data": {"name": f"{offer.name} ({begun.credits:,} credits)"},
        },
        "quantity": 1,
    }
