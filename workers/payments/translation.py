"""What an event of Stripe's means to the ledger: commands, nothing, a refusal, or a question to Stripe. Pure.

Each command's key is of the payment's object and its state, never of the event: events that tell the same are one
command. What is told of a refund or a dispute begins with its payment, so that it does not matter which came first; the
ledger keeps facts that only grow, so that older news change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from contracts import stripe
from contracts.commands import Buy, ClawBack, Thaw
from contracts.payments import Disputed, DisputeState, DisputeWon, Payment, Refunded, RefundFailed, RefundState
from workers.payments.model import (
    Ask,
    Asked,
    Charge,
    CheckoutSession,
    Commands,
    Dispute,
    Event,
    Ignored,
    Known,
    PaymentCommand,
    PaymentIntent,
    Purchase,
    Refund,
    Refused,
    Translation,
)
from workers.payments.reading import named, names_purchase

_REFUND_STATES: Final[dict[str, RefundState]] = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
_PREVENTED: Final = "prevented"
_DISPUTE_ENDS: Final[dict[str, DisputeState]] = {"lost": "lost", "won": "won", "warning_closed": "won"}
_DISPUTE_OPEN: Final = frozenset(
    {
        "warning_needs_response",
        "warning_under_review",
        "needs_response",
        "under_review",
        "appeal_needs_response",
        "appeal_under_review",
    }
)
_CASES_WITHOUT_MONEY: Final = frozenset({"block", "inquiry"})
"""Of those the bank has taken nothing when they end."""
_NOT_OURS: Final = Ignored("not of a purchase of ours")
_SESSION_ENDS: Final = {
    "checkout.session.async_payment_failed": "the payment failed",
    "checkout.session.expired": "the checkout expired",
}


def translate(event: Event, known: Known, asked: Asked, live: bool | None) -> Translation:
    """``live``: whether our key moves real money; ``None`` where we have none, and cannot tell."""
    if event.account is not None:
        return Refused("it is of another account")
    if live is not None and event.livemode != live:
        return Refused(f"it is of Stripe's {_mode(event.livemode)} mode, and our key is of the {_mode(live)} one")
    about = event.object
    if about is None:
        return Ignored("a type that means nothing to the ledger")
    match about:
        case CheckoutSession():
            return _of_session(event.type, about, known)
        case PaymentIntent():
            return _of_payment(event.type, about, known)
        case Refund():
            return _of_refunds([about], about.payment_intent, known, asked)
        case Charge():
            return _of_charge(about, known, asked)
        case Dispute():
            return _of_dispute(event.type, about, known, asked)


def _of_session(kind: str, session: CheckoutSession, known: Known) -> Translation:
    found = _purchase(session, session.payment_intent, known)
    if not isinstance(found, Purchase):
        return found
    if kind in _SESSION_ENDS:
        return _commands(found, _failed(found, session.id, _SESSION_ENDS[kind]))
    if session.payment_status == "unpaid":
        return Ignored("not paid yet: another event follows")
    if session.payment_status != "paid":
        return Refused(f"a checkout that ended with payment_status {session.payment_status[:50]}")
    if session.payment_intent is None or session.amount_total is None or session.currency is None:
        return Refused("a paid checkout without payment_intent, amount_total or currency")
    return _paid(found, session.amount_total, session.currency, session.payment_intent, session.id)


def _of_payment(kind: str, payment: PaymentIntent, known: Known) -> Translation:
    found = _purchase(payment, payment.id, known)
    if not isinstance(found, Purchase):
        return found
    if kind == "payment_intent.payment_failed":
        error = payment.last_payment_error
        why = None if error is None else error.decline_code or error.code
        return _commands(found, _failed(found, payment.id, f"declined: {why[:100]}" if why else "declined"))
    return _paid(found, payment.amount_received, payment.currency, payment.id, None)


def _of_charge(charge: Charge, known: Known, asked: Asked) -> Translation:
    intent = charge.payment_intent
    if intent is None:
        return _NOT_OURS
    told = _payment_of(intent, known, asked)
    if not isinstance(told, Commands):
        return told
    if intent not in asked.refunds:
        return Ask("refunds", intent)
    return _of_refunds(asked.refunds[intent], intent, known, asked)


def _of_refunds(refunds: Iterable[Refund], intent: str | None, known: Known, asked: Asked) -> Translation:
    told = _payment_of(intent, known, asked)
    if not isinstance(told, Commands):
        return told
    facts: list[PaymentCommand] = []
    for refund in refunds:
        if refund.currency != told.currency:
            return _in_other_money("refund", refund.currency, told)
        fact = _refunded(told, refund)
        if fact is None:
            return Refused(f"a refund whose status is {str(refund.status)[:50]}")
        facts.append(fact)
    return Commands(told.account_id, (*told.commands, *facts)) if facts else Ignored("no refund is left of it")


def _of_dispute(kind: str, dispute: Dispute, known: Known, asked: Asked) -> Translation:
    told = _payment_of(dispute.payment_intent, known, asked)
    if not isinstance(told, Commands):
        return told
    if kind == "charge.dispute.funds_reinstated" and dispute.status not in _DISPUTE_ENDS:
        if dispute.id not in asked.disputes:
            return Ask("dispute", dispute.id)
        dispute = asked.disputes[dispute.id] or dispute
    if dispute.currency != told.currency:
        return _in_other_money("dispute", dispute.currency, told)
    state = dispute_state(dispute)
    if state is None:
        unclear = ", and it does not say whose the money is" if dispute.status == _PREVENTED else ""
        return Refused(f"a dispute whose status is {dispute.status[:50]}{unclear}")
    return Commands(told.account_id, (*told.commands, _disputed(told, dispute, state)))


def _in_other_money(what: str, currency: str, told: _Payment) -> Refused:
    """How much of the price that is, nobody here can say."""
    return Refused(f"a {what} in {currency} of a purchase in {told.currency}")


class _Payment(Commands, frozen=True):
    """What is told first of a refund or dispute: its payment, unless that has not come in. ``currency``: the
    purchase's."""

    purchase_id: str
    currency: str


def _payment_of(intent: str | None, known: Known, asked: Asked) -> _Payment | Ignored | Refused | Ask:
    if intent is None:
        return _NOT_OURS
    purchase = known.by_payment.get(intent)
    if purchase is not None and purchase.paid:
        return _told(purchase, purchase.amount, purchase.currency, intent)
    if intent not in asked.payments:
        return Ask("payment", intent)
    payment = asked.payments[intent]
    if payment is None:
        return Refused("of a payment that Stripe does not know")
    found = _purchase(payment, intent, known)
    if not isinstance(found, Purchase):
        return found
    if found.paid and found.payment_intent != intent:
        return Ignored("of another payment than the one that paid the purchase")
    if payment.status != "succeeded":
        return _Payment(found.account_id, (), found.id, found.currency)
    if payment.amount_received < 1:
        return Refused("of a payment of nothing")
    return _told(found, payment.amount_received, payment.currency, intent)


def _told(purchase: Purchase, amount: int, currency: str, intent: str) -> _Payment:
    bought = _bought(purchase, amount, currency, intent, None)
    return _Payment(purchase.account_id, (bought,), purchase.id, purchase.currency)


def _purchase(about: CheckoutSession | PaymentIntent, intent: str | None, known: Known) -> Purchase | Ignored | Refused:
    """By what the database knows, else by what was written into the metadata when the purchase was begun."""
    found = known.by_payment.get(intent) if intent is not None else None
    if found is None and isinstance(about, CheckoutSession):
        found = known.by_session.get(about.id)
    if found is not None:
        return found
    if not names_purchase(about):
        return _NOT_OURS
    name = named(about)
    if name is None:
        return Refused("its metadata name a purchase, but not as we do")
    return known.by_name.get(name) or Refused("its metadata name a purchase that is not there")


def _paid(purchase: Purchase, amount: int, currency: str, intent: str, session: str | None) -> Translation:
    """Whether it is the purchase's price is for the ledger to say."""
    if amount < 1:
        return Refused("of a payment of nothing")
    return _commands(purchase, _bought(purchase, amount, currency, intent, session))


def _bought(purchase: Purchase, amount: int, currency: str, intent: str, session: str | None) -> Buy:
    paid = Payment(amount=amount, currency=currency, payment_intent_id=intent, checkout_session_id=session)
    return Buy(
        user_id=purchase.account_id,
        idempotency_key=stripe.paid_key(intent),
        purchase_id=purchase.id,
        paid=paid,
    )


def _failed(purchase: Purchase, payment_object: str, why: str) -> Buy:
    return Buy(
        user_id=purchase.account_id,
        idempotency_key=stripe.failed_key(payment_object),
        purchase_id=purchase.id,
        failed=why,
    )


def refund_state(refund: Refund) -> RefundState | None:
    """What the ledger calls it; ``None`` where Stripe has a word that we do not know."""
    return _REFUND_STATES.get(refund.status or "")


def dispute_state(dispute: Dispute) -> DisputeState | None:
    """What the ledger calls it; ``None`` where Stripe has a word that we do not know, or does not say whose the money
    is of one that was prevented."""
    if dispute.status == _PREVENTED:
        return _prevented(dispute)
    return "open" if dispute.status in _DISPUTE_OPEN else _DISPUTE_ENDS.get(dispute.status)


def _prevented(dispute: Dispute) -> DisputeState | None:
    """Prevented is the bank's chargeback: by giving the money back, or by keeping it."""
    if sum(dispute.moved) < 0 or dispute.case_type == "resolution":
        return "lost"
    return "won" if dispute.moved or dispute.case_type in _CASES_WITHOUT_MONEY else None


def _refunded(told: _Payment, refund: Refund) -> PaymentCommand | None:
    state = refund_state(refund)
    if state is None:
        return None
    user, purchase, key = told.account_id, told.purchase_id, stripe.refund_key(refund.id, state)
    if state == "failed":
        gone = RefundFailed(id=refund.id, amount=refund.amount, state="failed")
        return Thaw(user_id=user, idempotency_key=key, purchase_id=purchase, refund=gone)
    fact = Refunded(id=refund.id, amount=refund.amount, state="pending" if state == "pending" else "succeeded")
    return ClawBack(user_id=user, idempotency_key=key, purchase_id=purchase, refund=fact)


def _disputed(told: _Payment, dispute: Dispute, state: DisputeState) -> PaymentCommand:
    user, purchase, key = told.account_id, told.purchase_id, stripe.dispute_key(dispute.id, dispute.amount, state)
    if state == "won":
        won = DisputeWon(id=dispute.id, amount=dispute.amount, state="won")
        return Thaw(user_id=user, idempotency_key=key, purchase_id=purchase, dispute=won)
    fact = Disputed(id=dispute.id, amount=dispute.amount, state="lost" if state == "lost" else "open")
    return ClawBack(user_id=user, idempotency_key=key, purchase_id=purchase, dispute=fact)


def _commands(purchase: Purchase, *commands: PaymentCommand) -> Commands:
    return Commands(purchase.account_id, commands)


def _mode(live: bool) -> str:
    return "live" if live else "test"
