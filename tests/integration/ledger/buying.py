"""Purchases as the front begins them, and what the worker that Stripe tells says of them."""

from __future__ import annotations

import uuid
from typing import Any, Final

import asyncpg

from contracts.permissions import Actor
from tests.integration.ledger.owner import request
from workers.ledger.model import Request

OURS: Final = Actor("system")

_BEGIN: Final = """
INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status, created_at)
VALUES ($1, $2, 'credits-500', $3, $4, $4, 'pending', clock_timestamp())
"""


async def begin(by_hand: asyncpg.Connection, user: str, size: int, price: int) -> str:
    """A purchase of so many credits at a price in euro cents; its id."""
    purchase = str(uuid.uuid4())
    await by_hand.execute(_BEGIN, user, purchase, size, price)
    return purchase


def paid(user: str, purchase: str, price: int, payment: str | None = None, **more: Any) -> Request:
    """Its money has come in."""
    intent = payment or f"pi_{purchase[:8]}"
    fact = {"amount": price, "currency": "eur", "paymentIntentId": intent}
    key = f"stripe:purchase:{intent}"
    return request("credits.purchase", user, key, actor=OURS, purchaseId=purchase, paid=fact, **more)


def failed(user: str, purchase: str, **more: Any) -> Request:
    """Its payment was declined."""
    key = f"stripe:purchase_failed:{purchase}"
    return request("credits.purchase", user, key, actor=OURS, purchaseId=purchase, failed="card declined", **more)


def refund(user: str, purchase: str, cents: int, state: str = "succeeded", name: str = "re_1", **more: Any) -> Request:
    """Money goes back."""
    return _fact("refund", user, purchase, {"id": f"{name}_{purchase[:8]}", "amount": cents, "state": state}, more)


def dispute(user: str, purchase: str, cents: int, state: str = "open", name: str = "dp_1", **more: Any) -> Request:
    """The payer has asked the bank."""
    return _fact("dispute", user, purchase, {"id": f"{name}_{purchase[:8]}", "amount": cents, "state": state}, more)


def _fact(kind: str, user: str, purchase: str, fact: dict[str, Any], more: dict[str, Any]) -> Request:
    type_ = "credits.thaw" if fact["state"] in ("failed", "won") else "credits.clawback"
    key = f"stripe:{kind}:{fact['id']}:{fact['state']}"
    return request(type_, user, key, actor=OURS, purchaseId=purchase, **{kind: fact}, **more)
