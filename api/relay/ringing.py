"""Rings the bell of mails for every order that is due, again and again until the order is gone.

The row is the order; a bell only names it (``contracts.mails``). So a bell too many does no harm: two relays side by
side ring twice, and one that dies between ringing and noting that it has rung rings again.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from api.broker.commands import NoAnswer, Notice, Put
from api.database import Database
from api.errors import Unavailable
from api.relay import mails
from api.running import again_and_again
from contracts.mails import Ring
from contracts.topology import MAIL_EXCHANGE

POLL_SECONDS: Final = 0.5
AGAIN_IN: Final = timedelta(seconds=60)

_log = structlog.get_logger(__name__)


class RingingMetrics:
    """What waits, and how often was rung."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge("mana_mails_waiting", "Orders of mails that are not done", registry=registry)
        self.rung = Counter("mana_mails_rung", "Bells that the broker took", registry=registry)


class Ringing:
    """Run ``follow`` as a task for as long as the process lives."""

    def __init__(self, database: Database, put: Put, metrics: RingingMetrics) -> None:
        self._database = database
        self._put = put
        self._metrics = metrics

    async def follow(self) -> None:
        """Looks for what is due, again and again; ends only when it is cancelled."""
        await again_and_again(
            self.ring_due, POLL_SECONDS, lambda reason: _log.warning("mails wait for their bell", reason=reason)
        )

    async def ring_due(self) -> None:
        """Rings for all that are due, page by page, until the broker does not take a bell."""
        async with self._database.transaction() as connection:
            self._metrics.waiting.set(await mails.count(connection))
        while True:
            async with self._database.transaction() as connection:
                due = await mails.list_due(connection)
            rung = [mail for mail, taken in zip(due, await self._ring_all(due), strict=True) if taken]
            if rung:
                async with self._database.transaction() as connection:
                    await mails.mark_rung(connection, rung, AGAIN_IN)
            if len(rung) < mails.PAGE:
                return

    async def _ring_all(self, due: list[UUID]) -> list[bool]:
        return await asyncio.gather(*(self._ring_one(mail) for mail in due))

    async def _ring_one(self, mail: UUID) -> bool:
        """Whether the broker has the bell."""
        try:
            await self._put(Notice("mail.ring", MAIL_EXCHANGE, msgspec.json.encode(Ring(str(mail)))))
        except (Unavailable, NoAnswer) as error:
            _log.warning("a bell was not taken", mail_id=str(mail), reason=repr(error))
            return False
        self._metrics.rung.inc()
        return True
