"""Stripe's own client, with what its answers and errors mean here. No database transaction is open meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

import stripe
import structlog
from prometheus_client import CollectorRegistry, Counter
from stripe.params import CustomerCreateParams, RefundCreateParams
from stripe.params.checkout import SessionCreateParams

from api.errors import Refusal, Unavailable, refuse
from contracts.stripe import API_VERSION, is_live

SECONDS_MAX: Final = 8.0
"""For all that one request asks of Stripe, tries again included."""
_SECONDS_OF_A_TRY: Final = 5.0
_RETRIES: Final = 2
_METHODS_MAX: Final = 100
"""Of one customer, the newest first."""
_PAGE: Final = 100
_REFUSALS: Final = 400
_IN_USE: Final = 409
"""Of an idempotency key whose first request is under way, or of an object that is locked."""
_FAILURES: Final = 500

Outcome = Literal["done", "refused", "unauthorized", "away"]
_LEVELS: Final[Mapping[Outcome, int]] = {
    "away": logging.WARNING,
    "unauthorized": logging.ERROR,
    "refused": logging.INFO,
}

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class StripeMetrics:
    """What was asked of Stripe, and what came of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "mana_stripe_calls", "Requests to Stripe, by operation and outcome", ["operation", "outcome"],
            registry=registry,
        )  # fmt: skip

    def count(self, operation: str, outcome: Outcome) -> None:
        """``unauthorized``: our key is not known there; ``away``: no answer in time, or that of a server in trouble."""
        self._calls.labels(operation, outcome).inc()


class Refused(Exception):  # noqa: N818 - an answer of Stripe's, not a fault
    """Stripe does not do it. ``remembered``: it answers so for this idempotency key, whatever holds now;
    ``conflicting``: the key was of a request with other parameters; ``unclear``: it may be done all the same."""

    def __init__(
        self, code: str | None, param: str | None, *, remembered: bool, conflicting: bool, unclear: bool
    ) -> None:
        super().__init__(f"Stripe refuses: {code or 'no code'}")
        self.code = code
        self.param = param
        self.remembered = remembered
        self.conflicting = conflicting
        self.unclear = unclear


@dataclass(frozen=True)
class Session:
    """A Checkout session; ``amount`` in the smallest unit of the currency."""

    id: str
    url: str | None
    amount: int | None
    currency: str | None


@dataclass(frozen=True)
class Refund:
    """A refund as it stands at Stripe; ``replayed``: Stripe knew the idempotency key."""

    id: str
    amount: int
    currency: str
    status: str | None
    reason: str | None
    metadata: Mapping[str, str]
    replayed: bool = False


class Stripe:
    """What we ask of Stripe. Methods raise ``Refused``; ``Unavailable`` where it is away, slow or in trouble; and
    ``Refusal`` (``payments_disabled``) where it does not know our key."""

    def __init__(self, client: stripe.StripeClient, metrics: StripeMetrics, *, live: bool) -> None:
        self._api = client.v1
        self._metrics = metrics
        self.live = live
        """Whether real money moves."""

    @classmethod
    @asynccontextmanager
    async def connected(cls, key: str, url: str, metrics: StripeMetrics) -> AsyncGenerator[Stripe]:
        """Connects when it is first needed."""
        # What they write down of requests and answers are sessions and payers.
        for name in ("stripe", "httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        http = stripe.HTTPXClient(timeout=_SECONDS_OF_A_TRY)
        client = stripe.StripeClient(
            key,
            http_client=http,
            stripe_version=API_VERSION,
            base_addresses={"api": url},
            max_network_retries=_RETRIES,
        )
        try:
            yield cls(client, metrics, live=is_live(key))
        finally:
            await http.close_async()

    async def create_customer(self, params: CustomerCreateParams, key: str) -> str:
        """A customer's id."""
        made = await self._asked("customer", self._api.customers.create_async(params, {"idempotency_key": key}))
        return made.id

    async def create_session(self, params: SessionCreateParams, key: str) -> Session:
        """A Checkout session."""
        asked = self._api.checkout.sessions.create_async(params, {"idempotency_key": key})
        made = await self._asked("session", asked)
        return Session(made.id, made.url, made.amount_total, made.currency)

    async def expire_session(self, session_id: str) -> None:
        """Nobody pays it any more."""
        await self._asked("expire", self._api.checkout.sessions.expire_async(session_id))

    async def newest_payment_method(self, customer: str) -> str | None:
        """What the customer saved last to pay with; ``None`` where nothing is saved."""
        asked = self._api.customers.payment_methods.list_async(customer, {"limit": _METHODS_MAX})
        found = (await self._asked("payment_methods", asked)).data
        return max(found, key=lambda method: method.created).id if found else None

    async def create_refund(self, params: RefundCreateParams, key: str) -> Refund:
        """Gives money back; a repeat is answered with how the refund stands now."""
        made = await self._asked("refund", self._api.refunds.create_async(params, {"idempotency_key": key}))
        replayed = made.last_response is not None and _is_replayed(made.last_response.headers)
        if replayed:
            made = await self._asked("refund_read", self._api.refunds.retrieve_async(made.id))
        return replace(_refund(made), replayed=replayed)

    async def refunds(self, payment_intent: str) -> list[Refund]:
        """All of a payment's, the newest first."""

        async def read() -> list[Refund]:
            page = await self._api.refunds.list_async({"payment_intent": payment_intent, "limit": _PAGE})
            return [_refund(found) async for found in page.auto_paging_iter()]

        return await self._asked("refunds", read())

    async def _asked(self, operation: str, answer: Awaitable[_T]) -> _T:
        outcome: Outcome = "away"
        try:
            done = await answer
        except stripe.StripeError as error:
            outcome, meant = judged(error)
            _log.log(_LEVELS[outcome], "Stripe did not do it", operation=operation, outcome=outcome, **_told(error))
            raise meant from error
        else:
            outcome = "done"
            return done
        finally:
            self._metrics.count(operation, outcome)


@asynccontextmanager
async def in_time() -> AsyncGenerator[None]:
    """Around all that a request asks of Stripe. Raises ``Unavailable`` where it takes too long."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield
    except TimeoutError as error:
        raise _away() from error


def judged(error: stripe.StripeError) -> tuple[Outcome, Refused | Refusal | Unavailable]:
    """What an error of the library's means."""
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return "unauthorized", refuse("payments_disabled", "nothing can be bought or given back at present")
    status, remembered = error.http_status or 0, _is_replayed(error.headers)
    # Where Stripe remembers its own failure, to come again with the same key is no use.
    in_trouble = status < _REFUSALS or status == _IN_USE or (status >= _FAILURES and not remembered)
    if in_trouble or isinstance(error, stripe.RateLimitError):
        return "away", _away()
    param = error.param if isinstance(error, stripe.InvalidRequestError) else None
    conflicting = isinstance(error, stripe.IdempotencyError)
    unclear = status >= _FAILURES
    return "refused", Refused(error.code, param, remembered=remembered, conflicting=conflicting, unclear=unclear)


def _refund(found: stripe.Refund) -> Refund:
    metadata = found.metadata.to_dict() if found.metadata is not None else {}
    return Refund(found.id, found.amount, found.currency, found.status, found.reason, metadata)


def _is_replayed(headers: Mapping[str, str] | None) -> bool:
    return headers is not None and headers.get("idempotent-replayed") == "true"


def _away() -> Unavailable:
    return Unavailable("stripe", "Stripe cannot be reached")


def _told(error: stripe.StripeError) -> dict[str, object]:
    """What is written down: Stripe's own sentences may quote what was sent."""
    param = error.param if isinstance(error, stripe.InvalidRequestError) else None
    return {"status": error.http_status, "code": error.code, "param": param, "request": error.request_id}
