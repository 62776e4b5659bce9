"""Stripe's test cards and test bank accounts, and what comes of charging them."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Decline:
    """Why a charge is declined."""

    code: str
    decline_code: str | None
    message: str


def decline(reason: str) -> Decline:
    """A decline by the name that Stripe gives it in ``code`` or in ``decline_code``."""
    message = _MESSAGES.get(reason, "Your card was declined.")
    if reason in _OWN_CODES:
        return Decline(reason, None if reason == "incorrect_number" else reason, message)
    return Decline("card_declined", reason, message)


_OWN_CODES = ("expired_card", "incorrect_cvc", "processing_error", "incorrect_number", "authentication_required")
_MESSAGES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "incorrect_number": "Your card number is incorrect.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}

DEBIT_DECLINED = Decline(
    "payment_intent_payment_attempt_failed", None, "The customer's bank account could not be debited."
)


@dataclass(frozen=True)
class Behaviour:
    """What comes of charging a payment method."""

    kind: Literal["card", "sepa_debit"]
    number: str
    brand: str = "visa"
    decline: Decline | None = None
    off_session: Decline | None = None
    """Declined only where the customer is not there."""
    refund: Literal["succeeds", "pending", "fails"] = "succeeds"
    dispute: str | None = None
    """The reason for which a charge is disputed at once."""
    inquiry: bool = False
    debit: Literal["succeeds", "fails"] | None = None
    """How a bank debit ends, later."""


def _card(number: str, declined: str | None = None) -> Behaviour:
    return Behaviour("card", number, decline=decline(declined) if declined else None)


_GOOD = _card("4242424242424242")
_CARDS = [
    _GOOD,
    replace(_card("5555555555554444"), brand="mastercard"),
    _card("4000000000000002", "generic_decline"),
    _card("4000000000009995", "insufficient_funds"),
    _card("4000000000009987", "lost_card"),
    _card("4000000000000069", "expired_card"),
    _card("4000000000000127", "incorrect_cvc"),
    _card("4000000000000119", "processing_error"),
    _card("4000000000000341", "generic_decline"),
    replace(_card("4000002760003184"), off_session=decline("authentication_required")),
    replace(_card("4000000000007726"), refund="pending"),
    replace(_card("4000000000005126"), refund="fails"),
    replace(_card("4000000000000259"), dispute="fraudulent"),
    replace(_card("4000000000002685"), dispute="product_not_received"),
    replace(_card("4000000000001976"), dispute="fraudulent", inquiry=True),
]
_BY_NUMBER = {card.number: card for card in _CARDS}
_ACCOUNTS = {
    "AT611904300234573201": Behaviour("sepa_debit", "AT611904300234573201", debit="succeeds"),
    "AT861904300235473202": Behaviour("sepa_debit", "AT861904300235473202", debit="fails"),
}
TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_pendingRefund": "4000000000007726",
    "pm_card_refundFail": "4000000000005126",
    "pm_card_createDispute": "4000000000000259",
    "pm_card_createDisputeInquiry": "4000000000001976",
}
"""Stripe's names for payment methods with these cards."""


def card(number: str) -> Behaviour | None:
    """A test card by its number, however it is written."""
    return _BY_NUMBER.get("".join(number.split()).replace("-", ""))


def bank_account(iban: str) -> Behaviour | None:
    """A test bank account by its IBAN."""
    return _ACCOUNTS.get("".join(iban.split()).upper())
