"""Purchases that stay pending: nobody went to pay, or the event of the end was lost. The ledger is told that they have
failed; a payment that comes in later wins all the same.

What is known of each between two rounds is kept in memory alone: to ask or to tell once too often does no harm.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from msgspec import Struct

from contracts.commands import Buy
from contracts.stripe import failed_key
from workers.payments import pauses
from workers.payments.asking import DeniedError, Stripe, StripeAwayError
from workers.payments.leaving.meters import LeavingMeters
from workers.payments.leaving.model import Abandoned, Checkout
from workers.payments.leaving.store import LeavingStore
from workers.payments.model import Commands
from workers.payments.sending import Sending

_log = structlog.get_logger(__name__)

_AT_ONCE: Final = 16
_LOOK_AGAIN: Final = timedelta(hours=1)
UNDER_WAY_MAX: Final = timedelta(days=30)
"""The slowest way to pay takes two weeks."""


class _Look(Struct):
    at: float
    told: int = 0


class GivingUp:
    """``live``: whether our key moves real money; without a key nothing is asked or given up."""

    def __init__(
        self, store: LeavingStore, stripe: Stripe, sending: Sending, meters: LeavingMeters, live: bool | None
    ) -> None:
        self._store = store
        self._stripe = stripe
        self._sending = sending
        self._meters = meters
        self._live = live
        self._looks: dict[str, _Look] = {}

    async def round(self) -> None:
        """Some of them."""
        if self._live is None:
            return
        now = asyncio.get_running_loop().time()
        waiting = {name: look for name, look in self._looks.items() if look.at > now}
        found = await self._store.find_abandoned(list(waiting), live=self._live, most=_AT_ONCE)
        known = {one.id: self._looks[one.id] for one in found if one.id in self._looks}
        self._looks = {**known, **waiting}
        over = await asyncio.gather(*map(self._is_over, found))
        await self._tell([one for one, is_over in zip(found, over, strict=True) if is_over])

    async def _is_over(self, one: Abandoned) -> bool:
        if one.session is None:
            return True
        try:
            async with asyncio.timeout(pauses.ASKING.total_seconds()):
                checkout = await self._stripe.find_checkout(one.session)
        except (StripeAwayError, TimeoutError) as error:
            _log.warning("it is not known how a checkout ended", purchase_id=one.id, reason=str(error))
            return False
        except DeniedError as error:
            self._meters.alarm(f"Stripe does not tell how its checkout ended: {error}", purchase_id=one.id)
            self._wait(one, _LOOK_AGAIN)
            return False
        if is_over(checkout, one.age):
            return True
        self._wait(one, _LOOK_AGAIN)
        return False

    async def _tell(self, over: list[Abandoned]) -> None:
        confirmed = await self._sending.send([_command(one) for one in over])
        for one, safe in zip(over, confirmed, strict=True):
            if not safe:
                continue
            look = self._looks.setdefault(one.id, _Look(0))
            look.told += 1
            if look.told == 1:
                self._meters.count("purchase")
            if look.told > pauses.TRIES_MAX:
                self._meters.alarm(f"told {look.told} times that it failed, and it is pending", purchase_id=one.id)
            self._wait(one, pauses.ALARMED if look.told > pauses.TRIES_MAX else pauses.pause_after(look.told))

    def _wait(self, one: Abandoned, pause: timedelta) -> None:
        look = self._looks.setdefault(one.id, _Look(0))
        look.at = asyncio.get_running_loop().time() + pause.total_seconds()


def is_over(checkout: Checkout | None, age: timedelta) -> bool:
    """Whether nothing can come of it any more, as far as Stripe knows. What is paid is for reconciliation."""
    if checkout is None or checkout.status == "expired":
        return True
    return checkout.status == "complete" and checkout.payment_status == "unpaid" and age > UNDER_WAY_MAX


def _command(one: Abandoned) -> Commands:
    command = Buy(
        user_id=one.account_id,
        idempotency_key=failed_key(one.id),
        purchase_id=one.id,
        failed="it was never paid",
    )
    return Commands(one.account_id, (command,))
