"""Taking a payment: an intent and its charges, at once by card or later by bank debit."""

from ops.fakes.stripe import charges, disputes
from ops.fakes.stripe.account import BY_ITSELF, Account, Cause, change, new_id
from ops.fakes.stripe.cards import DEBIT_DECLINED, Decline
from ops.fakes.stripe.errors import JSON, ApiError, refused
from ops.fakes.stripe.events import emit

_OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def new_intent(account: Account, amount: int, currency: str, **fields: object) -> JSON:
    """An intent to take so much; it is not kept yet."""
    intent = account.base("pi", "payment_intent")
    return {
        **intent,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent['id']}_{new_id('secret', 25)}",
        "confirmation_method": "automatic",
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "managed_payments": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **fields,
    }


def attempt(account: Account, intent: JSON, method: JSON, cause: Cause, *, off_session: bool = False) -> None:
    """Charges the payment method. What comes of it stands in the intent: its status, its last payment error."""
    if intent["status"] not in _OPEN:
        raise unexpected(intent, "confirm")
    behaviour = account.behaviour[method["id"]]
    change(intent, payment_method=method["id"], last_payment_error=None)
    declined = behaviour.decline or (behaviour.off_session if off_session else None)
    if declined is not None:
        charge = charges.new_charge(account, intent, method, "failed", declined)
        emit(account, "charge.failed", charge, cause)
        _failed(account, intent, charge, declined, cause)
    elif behaviour.debit is not None:
        charge = charges.new_charge(account, intent, method, "pending")
        change(intent, latest_charge=charge["id"], status="processing")
        emit(account, "charge.pending", charge, cause)
        emit(account, "payment_intent.processing", intent, cause)
        _decide_later(account, intent, succeed=behaviour.debit == "succeeds")
    else:
        charge = charges.new_charge(account, intent, method, "succeeded")
        _succeeded(account, intent, charge, cause)
        if behaviour.dispute is not None:
            reason, inquiry = behaviour.dispute, behaviour.inquiry
            account.clock.after(0, lambda: disputes.open_(account, charge, reason, inquiry=inquiry))


def unexpected(intent: JSON, act: str) -> ApiError:
    """The intent is not in a state in which that can be done."""
    message = f"You cannot {act} this PaymentIntent because it has a status of {intent['status']}."
    return refused(message, code="payment_intent_unexpected_state")


def _succeeded(account: Account, intent: JSON, charge: JSON, cause: Cause) -> None:
    change(intent, latest_charge=charge["id"], amount_received=intent["amount"], status="succeeded")
    emit(account, "charge.succeeded", charge, cause)
    emit(account, "payment_intent.succeeded", intent, cause)
    charges.book(account, charge, cause)


def _failed(account: Account, intent: JSON, charge: JSON, declined: Decline, cause: Cause) -> None:
    method = account.get("payment_method", charge["payment_method"])
    error = {
        "advice_code": "try_again_later",
        "charge": charge["id"],
        "code": declined.code,
        "decline_code": declined.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{declined.code.replace('_', '-')}",
        "message": declined.message,
        "network_decline_code": "01",
        "payment_method": dict(method),
        "type": "card_error" if method["type"] == "card" else "invalid_request_error",
    }
    change(
        intent,
        last_payment_error={name: value for name, value in error.items() if value is not None},
        latest_charge=charge["id"],
        payment_method=None,
        status="requires_payment_method",
    )
    emit(account, "payment_intent.payment_failed", intent, cause)


def declined_answer(intent: JSON) -> ApiError:
    """What the API says of an attempt that failed: 402, with the intent in it."""
    error: JSON = dict(intent["last_payment_error"])
    kind, message = error.pop("type"), error.pop("message")
    return ApiError(402, kind, message, begun=True, payment_intent=intent, **error)


def _decide_later(account: Account, intent: JSON, *, succeed: bool) -> None:
    seconds = account.settings.async_seconds
    if seconds is not None:
        account.clock.after(seconds, lambda: decide(account, intent, succeed=succeed))


def decide(account: Account, intent: JSON, *, succeed: bool) -> None:
    """A bank debit that was under way ends; no more than once."""
    if intent["status"] != "processing":
        return
    charge = account.get("charge", intent["latest_charge"])
    if succeed:
        change(charge, status="succeeded", paid=True, captured=True, amount_captured=charge["amount"])
        _succeeded(account, intent, charge, BY_ITSELF)
    else:
        declined = DEBIT_DECLINED
        change(charge, status="failed", failure_code=declined.code, failure_message=declined.message)
        emit(account, "charge.failed", charge, BY_ITSELF)
        _failed(account, intent, charge, declined, BY_ITSELF)
    _tell_session(account, intent, succeed=succeed)


def _tell_session(account: Account, intent: JSON, *, succeed: bool) -> None:
    for session in account.all("checkout.session"):
        if session["payment_intent"] == intent["id"]:
            change(session, payment_status="paid" if succeed else "unpaid")
            ending = "succeeded" if succeed else "failed"
            emit(account, f"checkout.session.async_payment_{ending}", session, BY_ITSELF)


def cancel(account: Account, intent: JSON, reason: str | None, cause: Cause) -> None:
    """An intent that will not be paid any more."""
    if intent["status"] not in _OPEN:
        raise unexpected(intent, "cancel")
    change(intent, status="canceled", canceled_at=account.clock.now(), cancellation_reason=reason)
    emit(account, "payment_intent.canceled", intent, cause)
