"""Charges: each attempt to take money by a payment method."""

from ops.fakes.stripe import balance
from ops.fakes.stripe.account import Account, Cause, change, new_id
from ops.fakes.stripe.call import Call, listing, page
from ops.fakes.stripe.cards import Decline
from ops.fakes.stripe.errors import JSON
from ops.fakes.stripe.events import emit

_UNAVAILABLE = {"status": "unavailable"}


def new_charge(account: Account, intent: JSON, method: JSON, status: str, declined: Decline | None = None) -> JSON:
    """A charge of the intent's amount; metadata are the intent's as they are now."""
    paid = status == "succeeded"
    charge = account.base("ch" if method["type"] == "card" else "py", "charge")
    receipts = f"{account.url}/receipts/{charge['id']}"
    charge |= {
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if paid else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": dict(method["billing_details"]),
        "calculated_statement_descriptor": "MANA",
        "captured": paid,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": declined.code if declined else None,
        "failure_message": declined.message if declined else None,
        "fraud_details": {},
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": None if status == "pending" else _outcome(declined),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _details(method, intent["amount"]),
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": receipts if paid else None,
        "refunded": False,
        "refunds": None,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }
    return account.keep(charge)


def _outcome(declined: Decline | None) -> JSON:
    return {
        "advice_code": "try_again_later" if declined else None,
        "network_advice_code": None,
        "network_decline_code": "01" if declined else None,
        "network_status": "declined_by_network" if declined else "approved_by_network",
        "reason": (declined.decline_code or declined.code) if declined else None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank declined the payment." if declined else "Payment complete.",
        "type": "issuer_declined" if declined else "authorized",
    }


def _details(method: JSON, amount: int) -> JSON:
    kind: str = method["type"]
    return {"type": kind, kind: _of_card(method["card"], amount) if kind == "card" else _of_debit(method[kind])}


def _of_card(card: JSON, amount: int) -> JSON:
    return {
        "amount_authorized": amount,
        "authorization_code": "123456",
        "brand": card["brand"],
        "checks": dict(card["checks"]),
        "country": card["country"],
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "incremental_authorization": dict(_UNAVAILABLE),
        "installments": None,
        "last4": card["last4"],
        "mandate": None,
        "multicapture": dict(_UNAVAILABLE),
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": new_id("", 15)[1:],
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": card["regulated_status"],
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }


def _of_debit(account: JSON) -> JSON:
    return {
        "bank_code": account["bank_code"],
        "branch_code": account["branch_code"],
        "country": account["country"],
        "expected_debit_date": None,
        "fingerprint": account["fingerprint"],
        "last4": account["last4"],
        "mandate": new_id("mandate"),
    }


def book(account: Account, charge: JSON, cause: Cause) -> None:
    """The account's share arrives, a little after the charge: Stripe captures asynchronously."""
    kind = "charge" if charge["payment_method_details"]["type"] == "card" else "payment"
    fee = balance.charge_fee(charge["amount"])
    booked = balance.moved(account, charge, charge["amount"], kind=kind, category="charge", fee=fee)
    emit(account, "charge.updated", charge, cause, change(charge, balance_transaction=booked["id"]))


def refunds_of(account: Account, charge: JSON) -> JSON:
    """The list that a charge shows where it is asked for."""
    rows = [refund for refund in account.all("refund") if refund["charge"] == charge["id"]]
    return listing(f"/v1/charges/{charge['id']}/refunds", rows)


def retrieve(call: Call) -> JSON:
    """GET /v1/charges/{id}"""
    return call.account.get("charge", call.ids["id"])


def listed(call: Call) -> JSON:
    """GET /v1/charges"""
    customer, intent = call.params.text("customer"), call.params.text("payment_intent")
    rows = [
        charge
        for charge in call.account.all("charge")
        if customer in (None, charge["customer"]) and intent in (None, charge["payment_intent"])
    ]
    return page(call, rows)
