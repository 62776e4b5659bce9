"""From an order to the address where it is paid: the row first, then Stripe, then the row knows its session.

Whatever is lost on this way, the same order again goes on from there: the row is found, and Stripe knows the request
by its idempotency key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog

from api.errors import Refusal, refuse, refuse_field
from api.payments.customers import Customers
from api.payments.model import Begun, Offer, Order, Payer
from api.payments.session_params import session_params
from api.payments.store import PurchaseStore
from api.payments.stripe_client import Refused, Session, Stripe, in_time
from contracts.stripe import checkout_key

_TRIES: Final = 3
"""Requests for one session: each but the first for a reason that cannot come twice in a row."""
_GONE: Final = "resource_missing"
_ADDRESSES: Final[Mapping[str | None, str]] = {"success_url": "successUrl", "cancel_url": "cancelUrl"}
"""Of the order, by Stripe's names."""

_log = structlog.get_logger(__name__)


class Checkout:
    """``site`` is our own address."""

    def __init__(self, store: PurchaseStore, stripe: Stripe, site: str) -> None:
        self._store = store
        self._stripe = stripe
        self._customers = Customers(store, stripe)
        self._site = site

    async def begin(self, user_id: UUID, order: Order, client_key: str | None) -> Begun:
        """The purchase, with its session where one can be had still.

        Raises ``Refusal`` (as the store does; ``payments_disabled``; ``invalid_request`` for addresses and prices
        that Stripe does not take; ``internal`` where it would have another price, or refuses otherwise), and
        ``Unavailable``.
        """
        payer, begun, offer = await self._store.begin(user_id, order, client_key)
        if not begun.due:
            return begun
        if offer is None:
            raise refuse_field("packageId", "is no package that can be bought any more")
        async with in_time():
            try:
                begun, session = await self._session(payer, order, begun, offer)
            except Refused as refusal:
                raise _answer(refusal, begun) from refusal
            if session is None:
                return begun
            if (session.amount, session.currency) != (begun.amount, begun.currency) or session.url is None:
                await self._call_off(begun, session)
                raise _failed()
        return await self._store.keep_session(user_id, begun.id, session.id, session.url)

    async def _session(self, payer: Payer, order: Order, begun: Begun, offer: Offer) -> tuple[Begun, Session | None]:
        """The purchase's session, and none where somebody else has got it meanwhile."""
        customer = await self._customers.of(payer)
        refused = 0
        while True:
            params = session_params(payer, order, begun, offer, customer=customer, site=self._site)
            key = checkout_key(str(begun.id), begun.checkout_attempt)
            try:
                return begun, await self._stripe.create_session(params, key)
            except Refused as refusal:
                refused += 1
                if refused == _TRIES:
                    raise
                if refusal.code == _GONE and refusal.param == "customer":
                    customer = await self._customers.anew(payer, instead_of=customer)
                elif refusal.remembered or refusal.conflicting:
                    begun = await self._store.raise_attempt(payer.user_id, begun.id, begun.checkout_attempt)
                    if not begun.due:
                        return begun, None
                else:
                    raise

    async def _call_off(self, begun: Begun, session: Session) -> None:
        """A session that does not sell what was ordered is paid by nobody."""
        _log.error(
            "Stripe's price is not the package's: nothing is sold",
            purchase=str(begun.id),
            package=begun.package_id,
            expected=(begun.amount, begun.currency),
            found=(session.amount, session.currency),
        )
        try:
            await self._stripe.expire_session(session.id)
        except Refused:
            _log.warning("a session with a wrong price was over already", purchase=str(begun.id))


def _answer(refusal: Refused, begun: Begun) -> Refusal:
    if refusal.param in _ADDRESSES:
        return refuse_field(_ADDRESSES[refusal.param], "is no address that Stripe leads payers to")
    if refusal.code == "amount_too_small":
        return refuse_field("packageId", "costs less in this currency than can be paid")
    _log.error("Stripe refuses a checkout", purchase=str(begun.id), code=refusal.code, param=refusal.param)
    return _failed()


def _failed() -> Refusal:
    return refuse("internal", "the checkout could not be opened; the request's id finds the reason in our logs")
