"""Payment intents as the API offers them: made and confirmed by the server, also while the customer is away."""

from ops.fakes.stripe import catalog, customers, payments
from ops.fakes.stripe.account import Account
from ops.fakes.stripe.call import Call, page
from ops.fakes.stripe.errors import JSON, invalid
from ops.fakes.stripe.events import emit
from ops.fakes.stripe.forms import Params, merged

SMALLEST = 50
"""Below this no payment is taken, in minor units (of the currencies that the stand-in is for)."""


def create(call: Call) -> JSON:
    """POST /v1/payment_intents"""
    account, params = call.account, call.params
    amount, currency = catalog.amount(params, "amount", 1), catalog.currency(params)
    fields = _given(account, params)
    confirm, off_session, method = _confirmation(account, params, fields["customer"])
    params.done()
    if amount < SMALLEST:
        raise invalid("Amount must be at least 50 minor units.", param="amount", code="amount_too_small")
    if off_session and not confirm:
        raise invalid("You may only specify off_session with confirm=true.", param="off_session")
    intent = payments.new_intent(account, amount, currency, **fields)
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    emit(account, "payment_intent.created", account.keep(intent), call.cause)
    return _confirmed(call, intent, method, off_session=off_session) if confirm else intent


def _given(account: Account, params: Params) -> JSON:
    automatic = params.inner("automatic_payment_methods")
    enabled, redirects = automatic.flag("enabled"), automatic.word("allow_redirects", "always", "never")
    kinds = params.words("payment_method_types")
    customer = params.text("customer")
    if customer is not None:
        account.get("customer", customer, param="customer", status=400)
    return {
        "automatic_payment_methods": None
        if kinds
        else {"allow_redirects": redirects or "always", "enabled": enabled is not False},
        "customer": customer,
        "metadata": merged({}, params.metadata()),
        "payment_method_types": kinds or ["card"],
        "setup_future_usage": params.word("setup_future_usage", "off_session", "on_session"),
        "capture_method": params.word("capture_method", "automatic", "automatic_async") or "automatic_async",
        **{name: params.text(name) for name in TEXTS},
    }


TEXTS = ("description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix")


def _confirmation(account: Account, params: Params, customer: str | None) -> tuple[bool, bool, JSON | None]:
    """Whether to confirm, whether the customer is away, and by which payment method."""
    confirm, off_session = bool(params.flag("confirm")), bool(params.flag("off_session"))
    name = params.text("payment_method")
    for ignored in ("error_on_requires_action", "use_stripe_sdk", "return_url"):
        params.text(ignored)
    method = customers.owned_method(account, name, customer, "payment_method") if name else None
    return confirm, off_session, method


def confirm(call: Call) -> JSON:
    """POST /v1/payment_intents/{id}/confirm"""
    account, params = call.account, call.params
    intent = account.get("payment_intent", call.ids["id"], param="intent")
    _, off_session, method = _confirmation(account, params, intent["customer"])
    params.done()
    if method is None and intent["payment_method"] is not None:
        method = account.get("payment_method", intent["payment_method"])
    return _confirmed(call, intent, method, off_session=off_session)


def _confirmed(call: Call, intent: JSON, method: JSON | None, *, off_session: bool) -> JSON:
    account = call.account
    if method is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise invalid(message, code="payment_intent_unexpected_state")
    payments.attempt(account, intent, method, call.cause, off_session=off_session)
    if intent["last_payment_error"] is not None:
        raise payments.declined_answer(intent)
    if intent["setup_future_usage"] is not None and intent["customer"] is not None:
        customers.keep_for(account, method, intent["customer"], call.cause)
    return intent


def cancel(call: Call) -> JSON:
    """POST /v1/payment_intents/{id}/cancel"""
    account, params = call.account, call.params
    intent = account.get("payment_intent", call.ids["id"], param="intent")
    reasons = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
    reason = params.word("cancellation_reason", *reasons)
    params.done()
    payments.cancel(account, intent, reason, call.cause)
    return intent


def retrieve(call: Call) -> JSON:
    """GET /v1/payment_intents/{id}"""
    return call.account.get("payment_intent", call.ids["id"], param="intent")


def listed(call: Call) -> JSON:
    """GET /v1/payment_intents"""
    customer = call.params.text("customer")
    return page(call, [one for one in call.account.all("payment_intent") if customer in (None, one["customer"])])
