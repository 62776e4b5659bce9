"""Has Stripe take the payments of top-ups that have begun."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from workers.ledger.faults import Fault
from workers.payments import pauses
from workers.payments.asking import DeniedError, Stripe, StripeAwayError
from workers.payments.model import Ask, Asked
from workers.payments.rounds import rounds
from workers.payments.topping_up.deciding import (
    UNEXPLAINED,
    Again,
    Decision,
    Failed,
    Stuck,
    Waiting,
    decide,
    may_ask,
    why,
)
from workers.payments.topping_up.meters import TopupMeters
from workers.payments.topping_up.model import Answer, Charge, NoAnswer, Unexplained
from workers.payments.topping_up.store import TopupStore

_log = structlog.get_logger(__name__)

_ROUND_SECONDS: Final = 1.0
_CHARGES_AT_ONCE: Final = 16
_UNEXPLAINED_AT_ONCE: Final = 10


class Charging:
    """``live``: whether our key moves real money; without a key nothing is asked."""

    def __init__(self, store: TopupStore, stripe: Stripe, meters: TopupMeters, live: bool | None) -> None:
        self._store = store
        self._stripe = stripe
        self._meters = meters
        self._live = live

    async def run(self) -> None:
        """Round after round, until cancelled; one that fails is followed by the next."""
        await rounds(self.round, _ROUND_SECONDS, waiting="top-ups wait for the database")

    async def round(self) -> None:
        """All of it once."""
        self._meters.count("paid", await self._store.end())
        if self._live is not None:
            charges = await self._store.claim(live=self._live, most=_CHARGES_AT_ONCE, lease=pauses.ASKING)
            await asyncio.gather(*map(self._charge, charges))
            await asyncio.gather(*map(self._explain, await self._store.find_unexplained(_UNEXPLAINED_AT_ONCE)))
        self._meters.measured(await self._store.measure())

    async def _charge(self, charge: Charge) -> None:
        """Raises nothing but ``Fault``: the others' payments are in hand as well."""
        if not may_ask(charge.age):
            decision: Decision = Stuck("Stripe gave no answer while it knew the key")
        else:
            decision = decide(await self._answer(charge))
        try:
            await self._carry_out(charge, decision)
        except Fault as fault:  # asked for again when the lease ends, and answered the same
            _log.warning("a top-up waits for the database", purchase_id=charge.purchase_id, reason=str(fault))

    async def _answer(self, charge: Charge) -> Answer:
        try:
            async with asyncio.timeout(pauses.ASKING.total_seconds()):
                return await self._stripe.charge(charge)
        except TimeoutError:
            return NoAnswer("Stripe was too slow")

    async def _carry_out(self, charge: Charge, decision: Decision) -> None:
        purchase = charge.purchase_id
        match decision:
            case Waiting():
                await self._store.note(purchase, "waiting", decision.intent)
            case Failed():
                await self._fail(purchase, decision.intent, decision.reason)
                if decision.alarm:
                    self._meters.alarm(purchase, f"Stripe refused the payment: {decision.reason}")
            case Again():
                _log.warning("a top-up is asked for again", purchase_id=purchase, reason=decision.reason)
                await self._store.note(purchase, "asking", None, pauses.pause_after(charge.tries))
                if decision.alarm:
                    self._meters.alarm(purchase, decision.reason)
            case Stuck():
                await self._store.note(purchase, "stuck")
                self._meters.alarm(purchase, decision.reason)

    async def _explain(self, failed: Unexplained) -> None:
        reason = UNEXPLAINED
        try:
            if failed.intent is not None:
                asked = await self._stripe.ask(Ask("payment", failed.intent), Asked())
                payment = asked.payments[failed.intent]
                reason = UNEXPLAINED if payment is None else why(payment)
        except StripeAwayError as error:
            _log.warning("a failed top-up waits for its reason", purchase_id=failed.purchase_id, reason=str(error))
            return
        except DeniedError as error:
            _log.warning("a failed top-up has no reason", purchase_id=failed.purchase_id, reason=str(error))
        await self._fail(failed.purchase_id, failed.intent, reason)

    async def _fail(self, purchase_id: str, intent: str | None, reason: str) -> None:
        if await self._store.fail(purchase_id, intent, reason):
            self._meters.count("failed")
            _log.info("a top-up failed, and is off", purchase_id=purchase_id, reason=reason)
