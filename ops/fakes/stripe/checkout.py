"""Checkout sessions: made by the seller, paid (or not) by the buyer on the page."""

from dataclasses import dataclass

from ops.fakes.stripe import customers, intents, payments
from ops.fakes.stripe.account import BY_ITSELF, Account, Cause, change
from ops.fakes.stripe.call import Call, page
from ops.fakes.stripe.cards import Behaviour
from ops.fakes.stripe.errors import JSON, invalid, refused
from ops.fakes.stripe.events import emit
from ops.fakes.stripe.forms import Params, merged
from ops.fakes.stripe.session_parts import customer_details, line_item, new_session

_LIFE_SECONDS = 86_400
_LIFE_LEAST_SECONDS = 1_800
_PLACEHOLDER = "{CHECKOUT_SESSION_ID}"


def create(call: Call) -> JSON:
    """POST /v1/checkout/sessions, in mode ``payment``"""
    account, params = call.account, call.params
    if params.need("mode") != "payment":
        raise invalid("The stand-in only has mode=payment.", param="mode")
    fields = {
        **_addresses(params),
        **_buyer(account, params),
        "adaptive_pricing": {"enabled": bool(params.inner("adaptive_pricing").flag("enabled"))},
        "billing_address_collection": params.word("billing_address_collection", "auto", "required"),
        "client_reference_id": params.text("client_reference_id"),
        "expires_at": _expiry(account, params),
        "locale": params.text("locale"),
        "metadata": merged({}, params.metadata()),
        "submit_type": params.word("submit_type", "auto", "book", "donate", "pay", "subscribe"),
    }
    kinds, intent_data = params.words("payment_method_types"), _intent_data(params.inner("payment_intent_data"))
    items = [line_item(account, item) for item in params.each("line_items")]
    params.done()
    currency, total = _sum(items)
    known = kinds or (["card", "sepa_debit"] if currency == "eur" else ["card"])
    session = new_session(account, currency, total, payment_method_types=known, **fields)
    account.keep(session)
    account.line_items[session["id"]] = items
    account.intent_data[session["id"]] = intent_data
    account.clock.at(session["expires_at"], lambda: session["status"] == "open" and expire(account, session, BY_ITSELF))
    return session


def _addresses(params: Params) -> JSON:
    fields = {"success_url": params.need("success_url"), "cancel_url": params.text("cancel_url")}
    for name, url in fields.items():
        if url is not None and not url.startswith(("http://", "https://")):
            raise invalid("Not a valid URL", param=name, code="url_invalid")
    params.word("ui_mode", "hosted", "hosted_page")
    return fields


def _buyer(account: Account, params: Params) -> JSON:
    customer, email = params.text("customer"), params.text("customer_email")
    creation = params.word("customer_creation", "always", "if_required")
    if customer is not None and (email is not None or creation is not None):
        raise invalid("You may only specify one of these parameters: customer, customer_email, customer_creation.")
    if customer is None:
        return {"customer_email": email, "customer_creation": creation or "if_required"}
    account.get("customer", customer, param="customer", status=400)
    return {"customer": customer, "customer_creation": None}


def _expiry(account: Account, params: Params) -> int:
    now = account.clock.now()
    at = params.whole("expires_at") or now + _LIFE_SECONDS
    # The clocks of a client and of the stand-in are one, its words take a moment to come.
    if not now + _LIFE_LEAST_SECONDS - 60 <= at <= now + _LIFE_SECONDS + 60:
        message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation."
        raise invalid(message, param="expires_at")
    return at


def _intent_data(params: Params) -> JSON:
    return {
        "metadata": merged({}, params.metadata()),
        "setup_future_usage": params.word("setup_future_usage", "off_session", "on_session"),
        **{name: params.text(name) for name in intents.TEXTS},
    }


def _sum(items: list[JSON]) -> tuple[str, int]:
    """The currency of all lines, and what they are together."""
    if not items:
        raise invalid("The `line_items` parameter is required in payment mode.", param="line_items")
    currencies = {item["currency"] for item in items}
    if len(currencies) > 1:
        raise invalid("All prices on a Checkout Session must be in the same currency.", param="line_items")
    total = sum(item["amount_total"] for item in items)
    if total < intents.SMALLEST:
        message = "The Checkout Session's total amount due must add up to at least 50 minor units."
        raise invalid(message, code="amount_too_small")
    return currencies.pop(), total


@dataclass(frozen=True)
class Buyer:
    """What the buyer typed."""

    method: Behaviour
    email: str | None = None
    name: str | None = None


def pay(account: Account, session: JSON, buyer: Buyer) -> str | None:
    """The buyer pays; answers with why it was declined, or None. The session is complete only where it was not."""
    if session["status"] != "open":
        raise refused(f"This Checkout Session is {session['status']}.", code="checkout_session_not_open")
    if buyer.method.kind not in session["payment_method_types"]:
        raise refused(f"This Checkout Session does not take {buyer.method.kind}.")
    intent = _intent(account, session)
    customer = account.find(session["customer"]) if session["customer"] else None
    email = buyer.email or (customer["email"] if customer else session["customer_email"])
    method = customers.new_method(account, buyer.method, email)
    payments.attempt(account, intent, method, BY_ITSELF)
    if intent["last_payment_error"] is not None:
        return intent["last_payment_error"]["message"]
    _remember(account, session, intent, method, email)
    change(
        session,
        status="complete",
        payment_status="unpaid" if intent["status"] == "processing" else "paid",
        customer_details=customer_details(email, buyer.name),
        url=None,
    )
    emit(account, "checkout.session.completed", session, BY_ITSELF)
    return None


def _intent(account: Account, session: JSON) -> JSON:
    """The session's payment intent, which there is from the first attempt on."""
    if session["payment_intent"] is not None:
        return account.get("payment_intent", session["payment_intent"])
    fields = {**account.intent_data[session["id"]], "payment_method_types": session["payment_method_types"]}
    fields["customer"] = session["customer"]
    intent = account.keep(payments.new_intent(account, session["amount_total"], session["currency"], **fields))
    change(session, payment_intent=intent["id"])
    emit(account, "payment_intent.created", intent, BY_ITSELF)
    return intent


def _remember(account: Account, session: JSON, intent: JSON, method: JSON, email: str | None) -> None:
    """Makes a customer where one is asked for or needed, and keeps the payment method where it is to be used again."""
    again = intent["setup_future_usage"] is not None
    name: str | None = session["customer"]
    if name is None and (again or session["customer_creation"] == "always"):
        customer = account.keep(customers.new_customer(account, email=email))
        emit(account, "customer.created", customer, BY_ITSELF)
        name = customer["id"]
        session["customer"] = intent["customer"] = name
    if again and name is not None and name not in account.deleted_customers:
        customers.keep_for(account, method, name, BY_ITSELF)


def success_url(session: JSON) -> str:
    """Where the buyer is sent after having paid."""
    return session["success_url"].replace(_PLACEHOLDER, session["id"])


def expire(account: Account, session: JSON, cause: Cause) -> None:
    """The session ends unpaid, and its payment intent with it."""
    if session["status"] != "open":
        message = f"Only Checkout Sessions with a status of open can be expired: this one is {session['status']}."
        raise refused(message)
    change(session, status="expired", url=None)
    if session["payment_intent"] is not None:
        intent = account.get("payment_intent", session["payment_intent"])
        payments.cancel(account, intent, "expired", cause)
    emit(account, "checkout.session.expired", session, cause)


def expire_asked(call: Call) -> JSON:
    """POST /v1/checkout/sessions/{id}/expire"""
    call.params.done()
    session = retrieve(call)
    expire(call.account, session, call.cause)
    return session


def retrieve(call: Call) -> JSON:
    """GET /v1/checkout/sessions/{id}"""
    return call.account.get("checkout.session", call.ids["id"], param="session")


def listed(call: Call) -> JSON:
    """GET /v1/checkout/sessions"""
    params = call.params
    wanted = {name: params.text(name) for name in ("customer", "payment_intent", "status")}
    rows = [
        session
        for session in call.account.all("checkout.session")
        if all(value in (None, session[name]) for name, value in wanted.items())
    ]
    return page(call, rows)


def line_items(call: Call) -> JSON:
    """GET /v1/checkout/sessions/{id}/line_items"""
    return page(call, call.account.line_items[retrieve(call)["id"]])
