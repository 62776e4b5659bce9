"""Reconciliation now and then: by one of all workers at a time, and harmless to the worker whatever fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from workers.ledger.faults import Fault
from workers.payments.meters import PaymentsMeters
from workers.payments.reconciling.meters import ReconcilingMeters
from workers.payments.reconciling.reconcile import UNABLE, reconcile
from workers.payments.reconciling.report import Report
from workers.payments.reconciling.store import LastRuns, ReconcilingStore
from workers.payments.settings import PaymentsSettings

_log = structlog.get_logger(__name__)

FIRST: Final = timedelta(days=3)
"""So far back the first run looks."""
_FARTHEST: Final = timedelta(days=30)
"""Stripe lists events no longer."""
_OVERLAP: Final = timedelta(hours=6)
"""Each later run looks so far behind the beginning of the last that ended well."""
_WAIT: Final = timedelta(seconds=30)
_LOGGED_MAX: Final = 50


class Timer:
    """The first run is a twelfth to a sixth of the interval after the start: when many processes start, not at once."""

    def __init__(self, settings: PaymentsSettings, asked: PaymentsMeters, meters: ReconcilingMeters) -> None:
        self._settings = settings
        self._asked = asked
        self._meters = meters
        self._name = f"{settings.mana_process_name} reconciling"
        self._every = settings.stripe_reconcile_every.total_seconds()

    async def run(self) -> None:
        """Run after run, until cancelled."""
        self._meters.well_at.set_to_current_time()
        await self._try(self._remember)
        pause = self._every * random.uniform(1 / 12, 1 / 6)  # noqa: S311  spreads the workers
        while True:
            await asyncio.sleep(pause)
            await self._try(self._if_due)
            pause = self._every * random.uniform(0.95, 1.05)  # noqa: S311

    async def _try(self, step: Callable[[ReconcilingStore], Awaitable[None]]) -> None:
        try:
            async with ReconcilingStore.opened(self._settings.database_url, self._name) as store:
                await step(store)
        except (Fault, *UNABLE) as error:
            self._meters.runs.labels("failed").inc()
            _log.warning("Stripe was not compared with", reason=str(error))
        except Exception:  # our own fault; the worker's work is another
            self._meters.runs.labels("failed").inc()
            _log.exception("Stripe was not compared with")

    async def _remember(self, store: ReconcilingStore) -> None:
        """A restart must not hide for how long nothing has been compared: that is what an alert asks for."""
        last = await store.last_runs(live=bool(self._settings.live))
        if last.well_at is not None:
            self._meters.well_at.set(last.well_at.timestamp())

    async def _if_due(self, store: ReconcilingStore) -> None:
        if not await store.try_lock():
            self._meters.runs.labels("left").inc()
            return
        last = await store.last_runs(live=bool(self._settings.live))
        now = datetime.now(UTC)
        if last.begun_at is not None and (now - last.begun_at).total_seconds() < 0.9 * self._every:
            self._meters.runs.labels("left").inc()
        else:
            since = _since(last, now)
            report = await reconcile(self._settings, store, self._asked, asker="timer", since=since, wait=_WAIT)
            self._meters.ended(report)
            _tell(report)
            last = LastRuns(now, now)
        if last.well_at is not None:
            self._meters.well_at.set(last.well_at.timestamp())


def _since(last: LastRuns, now: datetime) -> datetime:
    if last.well_at is None:
        return now - FIRST
    return max(last.well_at - _OVERLAP, now - _FARTHEST)


def _tell(report: Report) -> None:
    _log.info("compared with Stripe", since=report.since.isoformat(), fed=report.fed, payments=report.payments)
    if report.missing:
        _log.warning("events of Stripe's never arrived, and were fed", types=dict(report.missing))
    for one in report.differences[:_LOGGED_MAX]:
        tell = _log.error if one.mend is None else _log.warning
        tell("a payment differs at Stripe", purchase_id=one.purchase, payment=one.payment, what=one.what)
