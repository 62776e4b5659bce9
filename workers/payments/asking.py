"""The one place that speaks to Stripe: asks for what an event does not say.

Answers are read by our own models, like events; the library only carries them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from http import HTTPStatus
from typing import Any, Final, Literal, TypeVar

import msgspec
import stripe
from msgspec import Raw, Struct

from contracts.stripe import API_VERSION, PURCHASE_ID, USER_ID, checkout_key
from workers.payments.leaving.model import Checkout
from workers.payments.meters import PaymentsMeters
from workers.payments.model import Ask, Asked, Dispute, Id, PaymentIntent, Refund
from workers.payments.topping_up.model import Answer, Charge, NoAnswer, Refused

_TIMEOUT_SECONDS: Final = 4.0
"""For each try."""
_RETRIES: Final = 2
_PAGE: Final = 100
_REFUNDS_MAX: Final = 1000
"""Of one payment, far more than there can be: no list of Stripe's keeps us for ever."""
_EXPIRING_MAX: Final = 10
"""Looks for the open checkouts of one customer."""
_AWAY: Final = (stripe.APIConnectionError, stripe.RateLimitError)

Kind = TypeVar("Kind", PaymentIntent, Dispute, Checkout)
Answered = TypeVar("Answered")
Listed = Literal["events", "payment_intents", "refunds", "disputes"]


class _Page(Struct, frozen=True):
    data: list[Raw]
    has_more: bool


class _Last(Struct, frozen=True):
    id: str


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
    """A client; without a key every question is denied. ``patience``: for each try, in seconds."""

    def __init__(
        self, key: str | None, url: str, meters: PaymentsMeters, *, patience: float = _TIMEOUT_SECONDS
    ) -> None:
        self._meters = meters
        self._http = stripe.HTTPXClient(timeout=patience)
        self._client: Any = key and stripe.StripeClient(
            key,
            http_client=self._http,
            stripe_version=API_VERSION,
            base_addresses={"api": url},
            max_network_retries=_RETRIES,
        )

    async def ask(self, question: Ask, asked: Asked) -> Asked:
        """``asked`` with one answer more. Raises ``StripeAwayError``, ``DeniedError``."""
        return await self._counted(question.kind, self._answer(question, asked))

    async def pages(self, kind: Listed, wish: Mapping[str, Any]) -> AsyncIterator[list[Raw]]:
        """What Stripe lists, the newest first, each thing byte for byte as it is written there; a page is asked for
        when the one before it is done with. Raises ``StripeAwayError``, ``DeniedError``."""
        after: dict[str, str] = {}
        while True:
            page = await self._counted("list", self._page(kind, {**wish, "limit": _PAGE, **after}))
            if page.data:
                yield page.data
            if not page.has_more or not page.data:
                return
            after = {"starting_after": _decoded(page.data[-1], _Last).id}

    async def find_payment(self, name: str) -> bytes | None:
        """A payment intent as Stripe writes it; ``None`` where it knows none. Raises as ``pages``."""
        return await self._counted("payment", self._found(name))

    async def find_checkout(self, name: str) -> Checkout | None:
        """A Checkout session; ``None`` where Stripe knows none. Raises as ``pages``."""
        return await self._counted("checkout", self._checkout(name))

    async def expire_checkouts(self, customer: str) -> None:
        """Afterwards the customer has none that is open. Raises as ``pages``."""
        await self._counted("expire", self._expire(customer))

    async def delete_customer(self, customer: str) -> None:
        """Also of one that is deleted already. Raises as ``pages``."""
        await self._counted("customer", self._delete(customer))

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

    @property
    def _asked(self) -> Any:
        if self._client is None:
            raise DeniedError("STRIPE_SECRET_KEY is not set, so Stripe cannot be asked")
        return self._client.v1

    async def _page(self, kind: Listed, wish: dict[str, Any]) -> _Page:
        client = self._asked
        match kind:
            case "events":
                page = await _told(client.events.list_async(wish))
            case "payment_intents":
                page = await _told(client.payment_intents.list_async(wish))
            case "refunds":
                page = await _told(client.refunds.list_async(wish))
            case "disputes":
                page = await _told(client.disputes.list_async(wish))
        if page is None:
            raise DeniedError(f"Stripe lists no {kind} after one that it has listed")
        return _decoded(page.last_response.body, _Page)

    async def _found(self, name: str) -> bytes | None:
        client = self._asked
        found = await _told(client.payment_intents.retrieve_async(name))
        return None if found is None else found.last_response.body.encode()

    async def _checkout(self, name: str) -> Checkout | None:
        client = self._asked
        return await _one(client.checkout.sessions.retrieve_async(name), Checkout)

    async def _expire(self, customer: str) -> None:
        client = self._asked
        refusal = DeniedError("the customer has more and more open checkouts")
        for _ in range(_EXPIRING_MAX):
            page = await _told(client.checkout.sessions.list_async({"customer": customer, "status": "open"}))
            if page is None or not page.data:
                return
            for session in page.data:
                try:
                    await _told(client.checkout.sessions.expire_async(session.id))
                except DeniedError as error:  # it may have ended a moment ago: the next look tells
                    refusal = error
        raise refusal

    async def _delete(self, customer: str) -> None:
        client = self._asked
        await _told(client.customers.delete_async(customer))

    async def _answer(self, question: Ask, asked: Asked) -> Asked:
        client = self._asked
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
        client = self._asked
        found: list[Refund] = []
        wish: dict[str, Any] = {"payment_intent": payment, "limit": _PAGE}
        while len(found) < _REFUNDS_MAX:
            page = await _told(client.refunds.list_async(wish))
            if page is None:
                break
            found += _read(page.to_dict()["data"], list[Refund])
            if not page.has_more:
                break
            wish["starting_after"] = found[-1].id
        return found

    async def _counted(self, kind: str, answer: Awaitable[Answered]) -> Answered:
        try:
            answered = await answer
        except StripeAwayError:
            self._meters.questions.labels(kind, "away").inc()
            raise
        except DeniedError:
            self._meters.questions.labels(kind, "denied").inc()
            raise
        self._meters.questions.labels(kind, "answered").inc()
        return answered


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
        status = error.http_status or HTTPStatus.INTERNAL_SERVER_ERROR
        # A conflict is with another request about the same thing, which will be over soon.
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.CONFLICT:
            raise StripeAwayError(_said(error)) from error
        raise DeniedError(_said(error)) from error


def _read(thing: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(thing, kind)
    except msgspec.ValidationError as error:
        raise DeniedError(f"Stripe's answer cannot be read: {error}") from error


def _decoded(body: str | Raw, kind: type[Answered]) -> Answered:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise DeniedError(f"Stripe's answer cannot be read: {error}") from error


def _said(error: stripe.StripeError) -> str:
    return f"{type(error).__name__}: {error.user_message or 'no answer'}"[:500]
