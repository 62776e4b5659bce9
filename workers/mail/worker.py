"""The mail worker: hears bells, and looks after its own health."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from workers.broker.bell import Bell
from workers.ledger.faults import Fault
from workers.mail.mailing import Mailing
from workers.mail.store import MailStore
from workers.waiting import wait_at_most

_LOOK_SECONDS: Final = 2.0

_log = structlog.get_logger(__name__)


class MailWorker:
    """Runs until stopped; what is away is waited for."""

    def __init__(self, bell: Bell, mailing: Mailing, store: MailStore) -> None:
        self._bell = bell
        self._mailing = mailing
        self._store = store
        self._stopping = asyncio.Event()
        self._away: str | None = "not asked yet"

    def stop(self) -> None:
        """Begins to end."""
        self._stopping.set()

    def problems(self) -> dict[str, str]:
        """The parts that do not work now."""
        found = dict(self._mailing.problems())
        if self._bell.problem is not None:
            found["rabbitmq"] = self._bell.problem
        if self._away is not None:
            found["postgresql"] = self._away
        return found

    async def run(self) -> None:
        """Hears bells until stopped, and looks whether the database is there."""
        listening = asyncio.create_task(self._bell.listen())
        try:
            while not self._stopping.is_set() and not listening.done():
                await self._look()
                await wait_at_most(self._stopping, _LOOK_SECONDS)
        finally:
            listening.cancel()
            await asyncio.wait({listening})
            await self._store.close()
        if not listening.cancelled():
            listening.result()

    async def _look(self) -> None:
        try:
            await self._store.check()
        except Fault as fault:
            if self._away is None:
                _log.warning("the orders of mails cannot be read", reason=str(fault))
            self._away = str(fault)
        else:
            self._away = None
