"""Refunds: at once, later, or not at all after it had looked as if."""

from ops.fakes.stripe import balance
from ops.fakes.stripe.account import BY_ITSELF, Account, Cause, change, new_id
from ops.fakes.stripe.call import Call, page
from ops.fakes.stripe.errors import JSON, invalid, refused
from ops.fakes.stripe.events import emit
from ops.fakes.stripe.forms import merged

_AFTERWARDS_SECONDS = 2.0
_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
_NEXT = {
    "pending": ("succeeded", "failed", "canceled"),
    "requires_action": ("succeeded", "failed", "canceled"),
    "succeeded": ("failed",),
}
"""What may become of a refund: even one that succeeded can still fail at the customer's bank."""


def create(call: Call) -> JSON:
    """POST /v1/refunds"""
    account, params = call.account, call.params
    charge = _charge(call)
    asked = params.whole("amount", 1)
    reason, metadata = params.word("reason", *_REASONS), merged({}, params.metadata())
    params.done()
    amount = _checked(account, charge, asked)
    behaviour = account.behaviour[charge["payment_method"]]
    pending = account.settings.refunds_pending or behaviour.refund == "pending" or behaviour.debit is not None
    refund = account.keep(_new(account, charge, amount, reason=reason, metadata=metadata))
    refund["status"] = "pending" if pending else "succeeded"
    emit(account, "refund.created", refund, call.cause)
    _tell_charge(account, charge, amount, call.cause)
    if not pending:
        _reach_the_bank(account, refund, call.cause)
    if behaviour.refund == "fails":
        _settle_later(account, refund, "failed")
    elif pending and not account.settings.refunds_pending:
        _settle_later(account, refund, "succeeded")
    return refund


def _settle_later(account: Account, refund: JSON, status: str) -> None:
    """Unless somebody settles it before that."""
    before = refund["status"]
    account.clock.after(_AFTERWARDS_SECONDS, lambda: refund["status"] == before and settle(account, refund, status))


def _charge(call: Call) -> JSON:
    account, params = call.account, call.params
    charge, intent = params.text("charge"), params.text("payment_intent")
    if charge is None and intent is None:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    if intent is None:
        return account.get("charge", charge or "", param="charge", status=400)
    found = account.get("payment_intent", intent, param="payment_intent", status=400)
    if found["latest_charge"] is None or found["status"] not in ("succeeded", "processing"):
        raise invalid(f"This PaymentIntent ({intent}) does not have a successful charge to refund.")
    return account.get("charge", found["latest_charge"])


def _checked(account: Account, charge: JSON, asked: int | None) -> int:
    """How much is given back; never more than is left."""
    if not charge["paid"]:
        raise refused(f"Charge {charge['id']} has not been paid and cannot be refunded.")
    disputed = any(
        dispute["charge"] == charge["id"] and not dispute["is_charge_refundable"] for dispute in account.all("dispute")
    )
    if disputed:
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise refused(message, code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if asked is not None and asked > left:
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({left})"
        raise refused(message, param="amount")
    return left if asked is None else asked


def _new(account: Account, charge: JSON, amount: int, **fields: object) -> JSON:
    kind: str = charge["payment_method_details"]["type"]
    refund = account.base("re" if kind == "card" else "pyr", "refund")
    del refund["livemode"]  # refunds have none
    refund |= {
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {"type": "card", "card": {"type": "refund"}}
        if kind == "card"
        else {"type": "eu_bank_transfer", "eu_bank_transfer": {"reference": None, "reference_status": "pending"}},
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending",
        "transfer_reversal": None,
        **fields,
    }
    booked = balance.moved(
        account, refund, -amount, kind="refund" if kind == "card" else "payment_refund", category="refund"
    )
    return {**refund, "balance_transaction": booked["id"]}


def _tell_charge(account: Account, charge: JSON, amount: int, cause: Cause) -> None:
    total = charge["amount_refunded"] + amount
    before = change(charge, amount_refunded=total, refunded=total == charge["amount"])
    emit(account, "charge.refunded", charge, cause, before)


def _updated(account: Account, refund: JSON, cause: Cause, **fields: object) -> None:
    before = change(refund, **fields)
    emit(account, "refund.updated", refund, cause, before)
    emit(account, "charge.refund.updated", refund, cause, before)


def _reach_the_bank(account: Account, refund: JSON, cause: Cause, **fields: object) -> None:
    """A refund to a card gets a reference by which the customer's bank finds it."""
    details = dict(refund["destination_details"])
    if details["type"] == "card":
        reference = {"reference": new_id("", 12)[1:], "reference_status": "available"}
        details["card"] = {**details["card"], **reference, "reference_type": "acquirer_reference_number"}
    _updated(account, refund, cause, destination_details=details, **fields)


def settle(account: Account, refund: JSON, status: str, cause: Cause = BY_ITSELF) -> None:
    """What becomes of a refund later: ``succeeded``, ``failed`` or ``canceled``."""
    if status not in _NEXT.get(refund["status"], ()):
        raise refused(f"A refund that is {refund['status']} cannot become {status}.")
    if status == "succeeded":
        _reach_the_bank(account, refund, cause, status=status)
        return
    back = balance.moved(account, refund, refund["amount"], kind="refund_failure", category="refund_failure")
    fields: JSON = {"failure_balance_transaction": back["id"]}
    if status == "failed":
        fields["failure_reason"] = "expired_or_canceled_card"
    refund |= dict.fromkeys(fields)
    _updated(account, refund, cause, status=status, **fields)
    if status == "failed":
        emit(account, "refund.failed", refund, cause)
    charge = account.get("charge", refund["charge"])
    total = charge["amount_refunded"] - refund["amount"]
    emit(account, "charge.updated", charge, cause, change(charge, amount_refunded=total, refunded=False))


def cancel(call: Call) -> JSON:
    """POST /v1/refunds/{id}/cancel"""
    call.params.done()
    refund = call.account.get("refund", call.ids["id"])
    settle(call.account, refund, "canceled", call.cause)
    return refund


def retrieve(call: Call) -> JSON:
    """GET /v1/refunds/{id}"""
    return call.account.get("refund", call.ids["id"])


def listed(call: Call) -> JSON:
    """GET /v1/refunds"""
    charge, intent = call.params.text("charge"), call.params.text("payment_intent")
    rows = [
        refund
        for refund in call.account.all("refund")
        if charge in (None, refund["charge"]) and intent in (None, refund["payment_intent"])
    ]
    return page(call, rows)
