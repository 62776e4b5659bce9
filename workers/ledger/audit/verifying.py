"""The regular verification: every invariant over the whole ledger, at a pace that leaves the server to the commands.

Each invariant is one statement, which sees one moment, and they follow each other with pauses: so no snapshot is held
for longer than a statement takes, and what commands write meanwhile can be tidied up behind them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Gauge

from workers.ledger.audit.looking import SETTINGS, Finding, breaches, invariants
from workers.ledger.faults import Fault
from workers.ledger.store.session import Session
from workers.ledger.store.verifications import Verification, Verifications
from workers.waiting import wait_at_most

_log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 60.0
"""Others note verifications too: ``./mana verify`` does."""
_AGAIN_SECONDS: Final = 600.0
"""After one that could not be done."""
_PAUSE_TIMES: Final = 1.0
"""After each invariant, so many times what it took: half of one processor's time at most."""
LOCK: Final = 0x6D616E6176657269
"""The key of the advisory lock of whoever verifies ("manaveri")."""
_NAMED: Final = 3
"""So many of an invariant's breaches are told in the log; ``./mana verify`` tells more."""
_SETTINGS: Final[Mapping[str, str]] = {
    **SETTINGS,
    "default_transaction_read_only": "on",
    "max_parallel_workers_per_gather": "0",
    # A sort of a few million rows in memory rather than on the disk that commits wait for.
    "work_mem": "64MB",
}


class VerifyingMeters:
    """What was found, whoever verified."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.broken = Gauge(
            "mana_ledger_broken_invariants",
            "Invariants that the last verification found broken; NaN before one is known",
            registry=registry,
        )
        # 0 would say that a ledger is whole which nobody looked at.
        self.broken.set(math.nan)
        self.verified_at = Gauge(
            "mana_ledger_verified_timestamp_seconds",
            "When the last verification that ended began; when this process began before one is known",
            registry=registry,
        )
        self.verified_at.set_to_current_time()
        self.took = Gauge("mana_ledger_verification_seconds", "How long the last verification took", registry=registry)
        self.interval = Gauge(
            "mana_ledger_verification_interval_seconds", "How often the ledger is to be verified", registry=registry
        )

    def show(self, last: Verification) -> None:
        """The last one that ended."""
        self.broken.set(last.broken)
        self.verified_at.set(last.begun_at)
        self.took.set(last.seconds)


class Verifying:
    """Verifies whenever it is due, until stopped; one process at a time, whichever that is."""

    def __init__(self, url: str, every: timedelta, meters: VerifyingMeters, *, application_name: str) -> None:
        self._url = url
        self._every = every.total_seconds()
        self._meters = meters
        self._name = f"{application_name}-audit"
        self._notes = Verifications(url, application_name=application_name)
        self._stopping = asyncio.Event()
        meters.interval.set(self._every)

    def stop(self) -> None:
        """Ends it, also in the midst of a verification, which is then as if it had not begun."""
        self._stopping.set()

    async def run(self) -> None:
        """Rounds until stopped."""
        rounds, stopping = asyncio.create_task(self._rounds()), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({rounds, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rounds.cancel()
            stopping.cancel()
        with suppress(asyncio.CancelledError):
            await rounds
        with suppress(Fault):
            await self._notes.close()

    async def _rounds(self) -> None:
        while not self._stopping.is_set():
            await wait_at_most(self._stopping, await self.round())

    async def round(self) -> float:
        """Verifies if it is due; answers the seconds until the next look."""
        try:
            if await self._is_due():
                await self._verify()
                await self._is_due()
        except Fault as fault:
            _log.warning("the ledger is not verified", reason=str(fault))
            return _AGAIN_SECONDS
        return _LOOK_SECONDS

    async def _is_due(self) -> bool:
        last = await self._notes.last()
        if last is not None:
            self._meters.show(last)
        return last is None or last.age_seconds >= self._every

    async def _verify(self) -> None:
        session = await Session.open(self._url, application_name=self._name, settings=_SETTINGS, answer_within_s=None)
        try:
            if not await session.fetch_value("SELECT pg_try_advisory_lock($1)", LOCK):
                return
            began = time.monotonic()
            broken = [finding for finding in await self._look_at_all(session) if finding.violations]
            took = time.monotonic() - began
            await self._notes.note(took, [finding.invariant.name for finding in broken])
            _log.info("the ledger was verified", seconds=round(took, 3), broken=len(broken))
        finally:
            await session.close()

    async def _look_at_all(self, session: Session) -> list[Finding]:
        findings = list[Finding]()
        for invariant in invariants():
            began = time.monotonic()
            finding = await breaches(session, invariant)
            if finding.violations:
                named = [f"{subject}: {detail}" for subject, detail in finding.named[:_NAMED]]
                _log.error(
                    "an invariant of the ledger is broken",
                    invariant=invariant.name,
                    violations=finding.violations,
                    named=named,
                )
            findings.append(finding)
            await asyncio.sleep(_PAUSE_TIMES * (time.monotonic() - began))
        return findings
