"""The one place that speaks to Stripe: asks for what an event does not say.

Answers are read by our own models, like events; the library only carries them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import msgspec
import stripe

from contracts.stripe import API_VERSION
from workers.payments.meters import PaymentsMeters
from workers.payments.model import Ask, Asked, Dispute, PaymentIntent, Refund

_TIMEOUT_SECONDS: Final = 4.0
"""For each try."""
_RETRIES: Final = 2
_PAGE: Final = 100
_REFUNDS_MAX: Final = 1000
"""Of one payment, far more than there can be: no list of Stripe's keeps us for ever."""
_AWAY: Final = (stripe.APIConnectionError, stripe.RateLimitError)

Kind = TypeVar("Kind", PaymentIntent, Dispute)


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
