"""Disputes: a customer's bank asks for its money, and takes it until the dispute is won."""

from ops.fakes.stripe import balance
from ops.fakes.stripe.account import BY_ITSELF, Account, Cause, change
from ops.fakes.stripe.call import Call, page
from ops.fakes.stripe.errors import JSON, refused
from ops.fakes.stripe.events import emit

_DAYS_TO_ANSWER = 7
_DAY_SECONDS = 86_400
_EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
_DISPUTED = ("needs_response", "under_review")
_ASKED = ("warning_needs_response", "warning_under_review")


def open_(
    account: Account, charge: JSON, reason: str = "fraudulent", *, amount: int | None = None, inquiry: bool = False
) -> JSON:
    """A dispute with its money withdrawn at once; or an inquiry, which only asks and takes nothing yet."""
    if not charge["paid"]:
        raise refused(f"Charge {charge['id']} has not been paid and cannot be disputed.")
    dispute = account.keep(
        {
            **account.base("dp", "dispute"),
            "amount": amount or charge["amount"] - charge["amount_refunded"] or charge["amount"],
            "balance_transactions": [],
            "charge": charge["id"],
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
            "evidence_details": {
                "due_by": account.clock.now() + _DAYS_TO_ANSWER * _DAY_SECONDS,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
                "submission_method": "not_submitted",
            },
            "is_charge_refundable": inquiry,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            **_details(charge, inquiry=inquiry),
            "reason": reason,
            "status": "warning_needs_response" if inquiry else "needs_response",
        }
    )
    change(charge, disputed=True)
    if not inquiry:
        _withdraw(account, dispute)
    emit(account, "charge.dispute.created", dispute, BY_ITSELF)
    if not inquiry:
        emit(account, "charge.dispute.funds_withdrawn", dispute, BY_ITSELF)
    return dispute


def _details(charge: JSON, *, inquiry: bool) -> JSON:
    """Of a card alone: Stripe has no such details of a debit."""
    kind = "inquiry" if inquiry else "chargeback"
    details = charge["payment_method_details"]
    if details["type"] != "card":
        return {}
    brand = details["card"]["brand"]
    card = {"brand": brand, "case_type": kind, "network": brand, "network_reason_code": "10.4"}
    return {"payment_method_details": {"card": card, "type": "card"}}


def _withdraw(account: Account, dispute: JSON) -> None:
    fee = balance.dispute_fee()
    taken = balance.moved(account, dispute, -dispute["amount"], kind="adjustment", category="dispute", fee=fee)
    dispute["balance_transactions"] = [*dispute["balance_transactions"], taken]


def escalate(account: Account, dispute: JSON) -> None:
    """An inquiry becomes a dispute, and the money is withdrawn."""
    _expect(dispute, *_ASKED)
    fields: JSON = {"status": "needs_response", "is_charge_refundable": False}
    if "payment_method_details" in dispute:
        details = dispute["payment_method_details"]
        card = {**details["card"], "case_type": "chargeback"}
        fields["payment_method_details"] = {**details, "card": card}
    before = change(dispute, **fields)
    _withdraw(account, dispute)
    emit(account, "charge.dispute.updated", dispute, BY_ITSELF, before)
    emit(account, "charge.dispute.funds_withdrawn", dispute, BY_ITSELF)


def submit(account: Account, dispute: JSON) -> None:
    """The seller answers; the bank looks at it."""
    _expect(dispute, "needs_response", "warning_needs_response")
    details = {**dispute["evidence_details"], "has_evidence": True, "submission_count": 1}
    details["submission_method"] = "manual"
    status = dispute["status"].replace("needs_response", "under_review")
    emit(
        account, "charge.dispute.updated", dispute, BY_ITSELF, change(dispute, status=status, evidence_details=details)
    )


def win(account: Account, dispute: JSON) -> None:
    """Decided for the seller: closed, and the money comes back."""
    _expect(dispute, *_DISPUTED)
    _close(account, dispute, "won", BY_ITSELF)
    reinstate(account, dispute)


def reinstate(account: Account, dispute: JSON) -> None:
    """The money comes back; by itself while a dispute is open too, as for what had been refunded already."""
    back = balance.moved(account, dispute, dispute["amount"], kind="adjustment", category="dispute_reversal")
    dispute["balance_transactions"] = [*dispute["balance_transactions"], back]
    emit(account, "charge.dispute.funds_reinstated", dispute, BY_ITSELF)


def lose(account: Account, dispute: JSON, cause: Cause = BY_ITSELF) -> None:
    """Decided for the customer: the money stays away."""
    _expect(dispute, *_DISPUTED)
    _close(account, dispute, "lost", cause)


def drop(account: Account, dispute: JSON) -> None:
    """An inquiry ends without having become a dispute."""
    _expect(dispute, *_ASKED)
    _close(account, dispute, "warning_closed", BY_ITSELF)


def _expect(dispute: JSON, *statuses: str) -> None:
    if dispute["status"] not in statuses:
        raise refused(f"This dispute is {dispute['status']}: that cannot be done now.")


def _close(account: Account, dispute: JSON, status: str, cause: Cause) -> None:
    emit(account, "charge.dispute.closed", dispute, cause, change(dispute, status=status))


def close(call: Call) -> JSON:
    """POST /v1/disputes/{id}/close: the seller accepts it"""
    call.params.done()
    dispute = call.account.get("dispute", call.ids["id"], param="dispute")
    lose(call.account, dispute, call.cause)
    return dispute


def retrieve(call: Call) -> JSON:
    """GET /v1/disputes/{id}"""
    return call.account.get("dispute", call.ids["id"], param="dispute")


def listed(call: Call) -> JSON:
    """GET /v1/disputes"""
    charge, intent = call.params.text("charge"), call.params.text("payment_intent")
    rows = [
        dispute
        for dispute in call.account.all("dispute")
        if charge in (None, dispute["charge"]) and intent in (None, dispute["payment_intent"])
    ]
    return page(call, rows)
