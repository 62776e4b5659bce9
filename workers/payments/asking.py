"""The one place that speaks to Stripe: asks for what an event does not say.

Answers are read by our own models, like events; the library only carries them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import msgspec
import stripe
from msgspec import Struct

from contracts.stripe import API_VERSION, PURCHASE_ID, USER_ID, checkout_key
from workers.payments.meters import PaymentsMeters
from workers.payments.model import Ask, Asked, Dispute, Id, PaymentIntent, Refund
from workers.payments.topping_up.model import Answer, Charge, NoAnswer, Refused

_TIMEOUT_SECONDS: Final = 4.0
"""For each try."""
_RETRIES: Final = 2
_PAGE: Final = 100
_REFUNDS_MAX: Final = 1000
"""Of one payment, far more than there can be: no list of Stripe's keeps us for ever."""
_AWAY: Final = (stripe.APIConnectionError, stripe.RateLimitError)

Kind = TypeVar("Kind", PaymentIntent, Dispute)


class _Tried(Struct, frozen=True):
    id: Id


class _Error(Struct, frozen=True):
    type: str | None = None
    code: str | None = None
    decline_code: str | None = None
    param: str | None = None
    payment_intent: _Tried | None = None


class _ErrorBody(Struct, frozen=True):
    error: _Error


class StripeAwayError(Exception):
    """Stripe cannot be asked now; later it can."""


class DeniedError(Exception):
    """Stripe does not answer this, or not so that it can be read, and will not tomorrow: somebody has to look."""


class Stripe:
    """A client; without a key every question is denied."""

    def __init__(self, key: str | None, url: str, meters: PaymentsMeters) -> None:
        self._meters = meters
        self._http = stripe.HTTPXClient(timeout=_TIMEOUT_SECONDS)
        self._client: Any = key and stripe.StripeClient(
            key,
            http_client=self._http,
            stripe_version=API_VERSION,
            base_addresses={"api": url},
            max_network_retries=_RETRIES,
        )

    async def ask(self, question: Ask, asked: Asked) -> Asked:
        """``asked`` with one answer more. Raises ``StripeAwayError``, ``DeniedError``."""
        try:
            answers = await self._answer(question, asked)
        except StripeAwayError:
            self._count(question, "away")
            raise
        except DeniedError:
            self._count(question, "denied")
            raise
        self._count(question, "answered")
        return answers

    async def charge(self, charge: Charge) -> Answer:
        """Takes a payment while its payer is away. However often it is called for one purchase, within the life of
        Stripe's keys there is one payment."""
        if self._client is None:
            return NoAnswer("STRIPE_SECRET_KEY is not set")
        wish = {
            "amount": charge.amount,
            "currency": charge.currency,
            "customer": charge.customer,
            "payment_method": charge.payment_method,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "confirm": True,
            "off_session": True,
            "metadata": {PURCHASE_ID: charge.purchase_id, USER_ID: charge.account_id},
        }
        key = {"idempotency_key": checkout_key(charge.purchase_id, 1)}
        answer = await _charged(self._client.v1.payment_intents.create_async(wish, key))
        self._meters.questions.labels("charge", "away" if isinstance(answer, NoAnswer) else "answered").inc()
        return answer

    async def close(self) -> None:
        """Ends its connections."""
        await self._http.close_async()

    async def _answer(self, question: Ask, asked: Asked) -> Asked:
        if self._client is None:
            raise DeniedError("STRIPE_SECRET_KEY is not set, so Stripe cannot be asked")
        client = self._client.v1
        match question.kind:
            case "payment":
                payment = await _one(client.payment_intents.retrieve_async(question.id), PaymentIntent)
                return msgspec.structs.replace(asked, payments={**asked.payments, question.id: payment})
            case "dispute":
                dispute = await _one(client.disputes.retrieve_async(question.id), Dispute)
                return msgspec.structs.replace(asked, disputes={**asked.disputes, question.id: dispute})
            case "refunds":
                refunds = await self._refunds(question.id)
                return msgspec.structs.replace(asked, refunds={**asked.refunds, question.id: refunds})

    async def _refunds(self, payment: str) -> list[Refund]:
        found: list[Refund] = []
        wish: dict[str, Any] = {"payment_intent": payment, "limit": _PAGE}
        while len(found) < _REFUNDS_MAX:
            page = await _told(self._client.v1.refunds.list_async(wish))
            if page is None:
                break
            found += _read(page.to_dict()["data"], list[Refund])
            if not page.has_more:
                break
            wish["starting_after"] = found[-1].id
        return found

    def _count(self, question: Ask, result: str) -> None:
        self._meters.questions.labels(question.kind, result).inc()


async def _one(answer: Awaitable[Any], kind: type[Kind]) -> Kind | None:
    thing = await _told(answer)
    return None if thing is None else _read(thing.to_dict(), kind)


async def _charged(answer: Awaitable[Any]) -> Answer:
    try:
        return msgspec.convert((await answer).to_dict(), PaymentIntent)
    except msgspec.ValidationError as error:
        return NoAnswer(f"Stripe's answer cannot be read: {error}")
    except stripe.StripeError as error:
        if error.http_status is None:
            return NoAnswer(_said(error))
        try:
            told = msgspec.convert(error.json_body, _ErrorBody).error
        except msgspec.ValidationError:
            return Refused(status=error.http_status)
        return Refused(
            status=error.http_status,
            kind=told.type,
            code=told.code,
            decline_code=told.decline_code,
            param=told.param,
            intent=None if told.payment_intent is None else told.payment_intent.id,
        )


async def _told(answer: Awaitable[Any]) -> Any:
    """``None`` where Stripe knows no such thing."""
    try:
        return await answer
    except _AWAY as error:
        raise StripeAwayError(_said(error)) from error
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing":
            return None
        raise DeniedError(_said(error)) from error
    except stripe.StripeError as error:
        if (error.http_status or 500) >= 500:
            raise StripeAwayError(_said(error)) from error
        raise DeniedError(_said(error)) from error


def _read(thing: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(thing, kind)
    except msgspec.ValidationError as error:
        raise DeniedError(f"Stripe's answer cannot be read: {error}") from error


def _said(error: stripe.StripeError) -> str:
    return f"{type(error).__name__}: {error.user_message or 'no answer'}"[:500]
