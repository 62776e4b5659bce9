"""Tells of top-ups that are off: subscribers by an event, and of a failed payment the ledger by a command; all again
until they hold it."""

from __future__ import annotations

from typing import Final

import structlog

from contracts.commands import Buy
from contracts.events import TopupFailedData, topup_failed_event
from contracts.stripe import failed_key
from workers.broker.publisher import Publication
from workers.events.messages import event_message
from workers.payments.model import Commands
from workers.payments.pauses import TRIES_MAX
from workers.payments.rounds import rounds
from workers.payments.sending import Sending
from workers.payments.topping_up.meters import TopupMeters
from workers.payments.topping_up.model import Failure, Stop
from workers.payments.topping_up.store import TopupStore

_log = structlog.get_logger(__name__)

_ROUND_SECONDS: Final = 1.0
_AT_ONCE: Final = 100


class FailureTelling:
    """Each stays in its row until the broker has confirmed the event, and the ledger holds the command."""

    def __init__(self, store: TopupStore, sending: Sending, meters: TopupMeters) -> None:
        self._store = store
        self._sending = sending
        self._meters = meters

    async def run(self) -> None:
        """Round after round, until cancelled; one that fails is followed by the next."""
        await rounds(self.round, _ROUND_SECONDS, waiting="failed top-ups wait for the database")

    async def round(self) -> None:
        """Tells what is due."""
        await self._tell_stops()
        failures = await self._store.claim_failures(_AT_ONCE)
        if not failures:
            return
        untold = [failure for failure in failures if not failure.told]
        confirmed = await self._sending.publish([_event(failure) for failure in untold])
        told = [failure.purchase_id for failure, safe in zip(untold, confirmed, strict=True) if safe]
        if told:
            await self._store.mark_told(told)
            self._meters.count("told", len(told))
        await self._sending.send([_command(failure) for failure in failures if failure.pending])
        for failure in failures:
            if failure.tries >= TRIES_MAX:
                held = "the ledger does not hold it" if failure.told else "the broker does not take it"
                self._meters.alarm(failure.purchase_id, f"its failure was told {failure.tries} times: {held}")

    async def _tell_stops(self) -> None:
        stops = await self._store.claim_stops(_AT_ONCE)
        if not stops:
            return
        confirmed = await self._sending.publish([_stop_event(stop) for stop in stops])
        told = [stop.id for stop, safe in zip(stops, confirmed, strict=True) if safe]
        if told:
            await self._store.forget_stops(told)
            self._meters.count("told", len(told))
        for stop, safe in zip(stops, confirmed, strict=True):
            if not safe and stop.tries >= TRIES_MAX:
                self._meters.alarm(stop.purchase_id, f"that top-up is off was told {stop.tries} times in vain")


def _stop_event(stop: Stop) -> Publication:
    data = TopupFailedData(purchase_id=stop.purchase_id, package_id=stop.package_id, reason=stop.reason)
    event = topup_failed_event(user_id=stop.account_id, data=data, time=stop.stopped_at, cause=stop.id)
    return event_message(event, None)


def _event(failure: Failure) -> Publication:
    data = TopupFailedData(purchase_id=failure.purchase_id, package_id=failure.package_id, reason=failure.reason)
    event = topup_failed_event(user_id=failure.account_id, data=data, time=failure.failed_at, cause=failure.purchase_id)
    return event_message(event, None)


def _command(failure: Failure) -> Commands:
    """The same as Stripe's own event of it makes, where there was a payment."""
    command = Buy(
        user_id=failure.account_id,
        idempotency_key=failed_key(failure.intent or failure.purchase_id),
        purchase_id=failure.purchase_id,
        failed=f"declined: {failure.reason}",
    )
    return Commands(failure.account_id, (command,))
