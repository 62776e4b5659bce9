"""Balance transactions: what each act did to the account's own money."""

from ops.fakes.stripe.account import Account
from ops.fakes.stripe.call import Call, page
from ops.fakes.stripe.errors import JSON

_DISPUTE_FEE = 2000
_FEE_PER_MILLE = 15
_FEE_FIXED = 25


def charge_fee(amount: int) -> int:
    """What Stripe keeps of a payment by card from the EU: 1.5 % and 25 cents."""
    return amount * _FEE_PER_MILLE // 1000 + _FEE_FIXED


def dispute_fee() -> int:
    """What a dispute costs, whoever wins it."""
    return _DISPUTE_FEE


def moved(account: Account, source: JSON, amount: int, *, kind: str, category: str, fee: int = 0) -> JSON:
    """Notes that the account got ``amount`` (or lost it, where it is negative), less the fee."""
    now = account.clock.now()
    fees = [
        {"amount": fee, "application": None, "currency": source["currency"], "description": what, "type": "stripe_fee"}
        for what in (["Stripe processing fees"] if fee else [])
    ]
    transaction = account.base("txn", "balance_transaction")
    del transaction["livemode"]  # balance transactions have none
    transaction |= {
        "amount": amount,
        "available_on": now,
        "balance_type": "payments",
        "currency": source["currency"],
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": fees,
        "net": amount - fee,
        "reporting_category": category,
        "source": source["id"],
        "status": "available",
        "type": kind,
    }
    return account.keep(transaction)


def retrieve(call: Call) -> JSON:
    """GET /v1/balance_transactions/{id}"""
    return call.account.get("balance_transaction", call.ids["id"])


def listed(call: Call) -> JSON:
    """GET /v1/balance_transactions"""
    source, kind = call.params.text("source"), call.params.text("type")
    rows = [
        one
        for one in call.account.all("balance_transaction")
        if source in (None, one["source"]) and kind in (None, one["type"])
    ]
    return page(call, rows)
