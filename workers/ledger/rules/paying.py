"""``credits.purchase``, ``credits.clawback``, ``credits.thaw``: a purchase learns a fact, and its credits follow.

A purchase's lot and its transaction have the purchase's own id; whatever is taken or given back later refers to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from contracts.commands import Buy, ClawBack, Thaw, operation
from contracts.errors import Error, invalid_field
from contracts.payments import DisputeState, Payment, RefundState
from contracts.replies import Done
from workers.ledger.model import Request
from workers.ledger.purchases import Disputed, Purchase, Refunded, learn
from workers.ledger.rules.batch import Batch, Purse, mark_purchase
from workers.ledger.rules.carrying import carry_out, gained, lot_of
from workers.ledger.rules.journal import Draft, operation_of_ours, overflow, post, post_all, record_key
from workers.ledger.rules.lots import add_lot
from workers.ledger.rules.settling import Flow, settle

_WORDS: Final[dict[RefundState | DisputeState, str]] = {
    "pending": "Refund of a purchase asked for",
    "succeeded": "Purchase refunded",
    "failed": "Refund of a purchase failed",
    "open": "Payment disputed",
    "lost": "Dispute of a payment lost",
    "won": "Dispute of a payment won",
}


def buy(batch: Batch, purse: Purse, request: Request, command: Buy) -> Done | Error:
    """Credits a purchase once its payment has come in; one whose payment failed may be paid later all the same."""
    purchase = _purchase(batch, purse, command)
    if purchase is None:
        return _unknown()
    if command.paid is None:
        return _note_failure(batch, purse, purchase, command)
    problem = _problem(purse, purchase, command.paid)
    if problem is not None:
        return problem
    if purchase.is_paid:
        return record_key(batch, purse.account, command.idempotency_key, operation(command))
    _note_payment(batch, purchase, command.paid)
    done = _credit(batch, purse, request, purchase, command)
    _pay_debts(batch, purse, request, purchase)
    _settle_at_once(batch, purse, request, purchase)
    return done


def learn_of(batch: Batch, purse: Purse, request: Request, command: ClawBack | Thaw) -> Done | Error:
    """A refund or a dispute, or how it ended: takes, holds or gives back what the facts come to now."""
    purchase = _purchase(batch, purse, command)
    if purchase is None:
        return _unknown()
    refunds, disputes = dict(purchase.refunds), dict(purchase.disputes)
    state = _learn(purchase, command)
    lot = lot_of(purse, purchase)
    flows = settle(purchase, 0 if lot is None else lot.remaining, batch.terms.refund_policy)
    too_much = overflow(purse.account, gained(flows))
    if too_much is not None:
        purchase.refunds, purchase.disputes = refunds, disputes
        return too_much
    purchase.status = purchase.status_by_facts()
    mark_purchase(batch, purchase)
    draft = _draft(request, purchase, flows, key=command.idempotency_key, description=_WORDS[state], asked=command)
    return post_all(batch, purse, request, draft, carry_out(batch, purse, purchase, flows, lot))


def _purchase(batch: Batch, purse: Purse, command: Buy | ClawBack | Thaw) -> Purchase | None:
    return batch.state.purchases.get((purse.account.account_id, command.purchase_id))


def _unknown() -> Error:
    return invalid_field("purchaseId", "names no purchase of this user")


def _note_failure(batch: Batch, purse: Purse, purchase: Purchase, command: Buy) -> Done:
    if purchase.status == "pending":
        purchase.status = "failed"
        mark_purchase(batch, purchase)
    return record_key(batch, purse.account, command.idempotency_key, operation(command), command.failed)


def _problem(purse: Purse, purchase: Purchase, paid: Payment) -> Error | None:
    """Nothing is credited for other money than the purchase's own, nor twice."""
    if paid.amount != purchase.amount:
        return invalid_field("paid.amount", f"is not the {purchase.amount} of the purchase")
    if paid.currency != purchase.currency:
        return invalid_field("paid.currency", f"is not the {purchase.currency} of the purchase")
    if not purchase.is_paid:
        return overflow(purse.account, purchase.credits)
    if purchase.payment_intent_id != paid.payment_intent_id:
        return invalid_field("paid.paymentIntentId", "is another payment than the one that paid the purchase")
    return None


def _note_payment(batch: Batch, purchase: Purchase, paid: Payment) -> None:
    purchase.completed_at = batch.now
    purchase.payment_intent_id = paid.payment_intent_id
    purchase.checkout_session_id = purchase.checkout_session_id or paid.checkout_session_id
    purchase.status = purchase.status_by_facts()
    mark_purchase(batch, purchase)


def _credit(batch: Batch, purse: Purse, request: Request, purchase: Purchase, command: Buy) -> Done:
    move = add_lot(batch, purse, "purchase", purchase.credits, lot_id=purchase.id)
    purse.account.total_earned += purchase.credits
    draft = Draft(
        id=purchase.id,
        type="purchase",
        amount=purchase.credits,
        other="system:stripe",
        key=command.idempotency_key,
        operation=operation(command),
        origin=request.actor.origin,
        description=f"Purchase of {purchase.credits} credits",
    )
    return post(batch, purse, request, draft, [move])


def _pay_debts(batch: Batch, purse: Purse, request: Request, purchase: Purchase) -> None:
    """What is owed from earlier purchases, the oldest first, is paid from the lot that has just come."""
    lot = purse.known[purchase.id]
    mine = (other for other in batch.state.purchases.values() if other.account_id == lot.account_id and other.debt)
    for indebted in sorted(mine, key=_age):
        part = min(indebted.debt, lot.remaining)
        if part == 0:
            return
        flows = [Flow("lot", "debt", part)]
        key = f"stripe:debt:{purchase.id}:{indebted.id}"
        draft = _draft(request, indebted, flows, key=key, description="Credits owed from an earlier purchase")
        mark_purchase(batch, indebted)
        post_all(batch, purse, request, draft, carry_out(batch, purse, indebted, flows, lot))


def _age(purchase: Purchase) -> tuple[datetime, str]:
    return purchase.created_at, purchase.id


def _settle_at_once(batch: Batch, purse: Purse, request: Request, purchase: Purchase) -> None:
    """For facts that were known before the payment was."""
    lot = purse.known[purchase.id]
    flows = settle(purchase, lot.remaining, batch.terms.refund_policy)
    if flows:
        key = f"stripe:settled:{purchase.id}"
        draft = _draft(request, purchase, flows, key=key, description="Refunds and disputes of a purchase")
        post_all(batch, purse, request, draft, carry_out(batch, purse, purchase, flows, lot))


def _learn(purchase: Purchase, command: ClawBack | Thaw) -> RefundState | DisputeState:
    if command.refund is not None:
        learn(purchase.refunds, command.refund.id, Refunded(command.refund.amount, command.refund.state))
        return command.refund.state
    if command.dispute is None:
        raise ValueError(f"{command.type} names neither a refund nor a dispute")
    learn(purchase.disputes, command.dispute.id, Disputed(command.dispute.amount, command.dispute.state))
    return command.dispute.state


def _draft(
    request: Request,
    purchase: Purchase,
    flows: Sequence[Flow],
    *,
    key: str,
    description: str,
    asked: ClawBack | Thaw | None = None,
) -> Draft:
    """``asked`` is the command that brought the flows; ``None`` where nobody asked for just this transaction."""
    amount = gained(flows)
    return Draft(
        type="clawback",
        amount=amount,
        other="system:stripe",
        key=key,
        operation=operation_of_ours("clawback", amount) if asked is None else operation(asked),
        origin=request.actor.origin,
        description=description,
        refers_to=purchase.id,
    )
