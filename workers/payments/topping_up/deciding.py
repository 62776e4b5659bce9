"""What becomes of a top-up by an answer of Stripe's. Pure.

Only an answer that leaves no doubt ends a payment. In doubt the same request is made again under the same key, and
Stripe answers what it answered first; it remembers keys for 24 hours, so after 23 nothing is sent any more.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from msgspec import Struct

from workers.payments.model import PaymentIntent
from workers.payments.topping_up.model import Answer, NoAnswer, Refused

KEY_LIFE: Final = timedelta(hours=23)
UNEXPLAINED: Final = "payment_failed"
"""The reason where Stripe gives none."""
_TAKEN_ON: Final = frozenset({"succeeded", "processing"})
_DECLINED: Final = 402
_DENIED: Final = frozenset({401, 403})
_LATER: Final = frozenset({409, 424, 425, 429})
_REFUSALS: Final = 400
_FAILURES: Final = 500
_OTHER_WORDS: Final = "idempotency_error"
_USERS_OWN: Final = frozenset({"payment_method", "customer"})
"""Parameters that go bad without a fault of ours: a card was removed, a customer deleted."""
_REASON_MAX: Final = 100


class Waiting(Struct, frozen=True):
    """Stripe has taken the payment on: how it ends is told by an event."""

    intent: str


class Failed(Struct, frozen=True):
    """No money has moved, and none will. ``alarm``: it may be our own fault."""

    reason: str
    intent: str | None
    alarm: bool = False


class Again(Struct, frozen=True):
    """It is not known what became of it. ``alarm``: it will not be known before somebody has looked."""

    reason: str
    alarm: bool = False


class Stuck(Struct, frozen=True):
    """It is not known, and to ask again might make another payment: somebody has to look."""

    reason: str


Decision = Waiting | Failed | Again | Stuck


def decide(answer: Answer) -> Decision:
    """What the answer to a request for a payment means."""
    match answer:
        case NoAnswer():
            return Again(answer.reason)
        case PaymentIntent() if answer.status in _TAKEN_ON:
            return Waiting(answer.id)
        case PaymentIntent():
            return Failed(why(answer, otherwise=answer.status), answer.id)
        case Refused():
            return _refused(answer)


def may_ask(age: timedelta) -> bool:
    """Whether Stripe still knows the key of a payment that was begun so long ago."""
    return age < KEY_LIFE


def why(payment: PaymentIntent, otherwise: str = UNEXPLAINED) -> str:
    """The reason that a payment gives for its last failure."""
    error = payment.last_payment_error
    return _reason(None if error is None else error.decline_code or error.code, otherwise)


def _refused(answer: Refused) -> Decision:
    told = f"HTTP {answer.status}, {answer.kind}, {answer.code}, {answer.param}"
    if answer.kind is None or answer.status in _LATER or not _REFUSALS <= answer.status < _FAILURES:
        return Again(told)
    if answer.status == _DECLINED:
        return Failed(_reason(answer.decline_code or answer.code), answer.intent)
    if answer.kind == _OTHER_WORDS:
        return Stuck(f"the key is of a request with other words: {told}")
    if answer.status in _DENIED:
        return Again(f"our key may not do this: {told}", alarm=True)
    return Failed(_reason(answer.code or answer.kind), answer.intent, alarm=answer.param not in _USERS_OWN)


def _reason(code: str | None, otherwise: str = UNEXPLAINED) -> str:
    return (code or otherwise)[:_REASON_MAX]
