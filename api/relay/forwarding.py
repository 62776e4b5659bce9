"""From the outbox to the broker, at least once: a row goes only after the broker's confirm.

Two relays side by side do no harm, nor does one that dies between confirm and delete: the ledger knows each command
by its key.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from api.broker.commands import Broker, NoAnswer
from api.crash import crash
from api.database import Database
from api.errors import Unavailable
from api.outbox import store
from api.outbox.delivery import outgoing
from api.outbox.store import PendingCommand, Place
from api.running import again_and_again

POLL_SECONDS: Final = 0.5
HEAD_START: Final = timedelta(seconds=2)
"""For so long the front delivers a command itself."""

_log = structlog.get_logger(__name__)


class RelayMetrics:
    """What waits, and what was delivered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge("mana_outbox_waiting", "Commands in the outbox", registry=registry)
        self.oldest = Gauge("mana_outbox_oldest_seconds", "Age of the oldest of them", registry=registry)
        self.delivered = Counter("mana_outbox_delivered", "Commands that the relay delivered", registry=registry)


class Forwarding:
    """Run ``follow`` as a task for as long as the process lives."""

    def __init__(self, database: Database, broker: Broker, metrics: RelayMetrics) -> None:
        self._database = database
        self._broker = broker
        self._metrics = metrics

    async def follow(self) -> None:
        """Looks for what is due, again and again; ends only when it is cancelled."""
        await again_and_again(
            self.forward_due, POLL_SECONDS, lambda reason: _log.warning("what is in the outbox waits", reason=reason)
        )

    async def forward_due(self) -> None:
        """Delivers all that is due, page by page: what cannot be delivered holds up the same user's, and no other's.

        Raises ``Unavailable`` where nothing can be delivered or read.
        """
        await self._measure()
        after: Place | None = store.START
        held: set[UUID] = set()
        while after is not None:
            async with self._database.transaction() as connection:
                page, after = await store.list_due(connection, HEAD_START, after)
            if page:
                await self._broker.check()
            due = {user_id: commands for user_id, commands in _by_user(page).items() if user_id not in held}
            delivered = await asyncio.gather(*map(self._forward, due.values()))
            held.update(user_id for user_id, whole in zip(due, delivered, strict=True) if not whole)

    async def _measure(self) -> None:
        async with self._database.transaction() as connection:
            waiting, oldest = await store.measure(connection)
        self._metrics.waiting.set(waiting)
        self._metrics.oldest.set(oldest)

    async def _forward(self, commands: list[PendingCommand]) -> bool:
        """One user's commands, in order. False: one failed, and stops the others until the next look."""
        for pending in commands:
            try:
                crash("outbox_before_send")
                await self._broker.send(outgoing(pending))
                crash("outbox_after_send")
                async with self._database.transaction() as connection:
                    await store.remove(connection, pending.id)
            except (Unavailable, NoAnswer) as error:
                _log.warning("a command stays in the outbox", command=pending.command, reason=repr(error))
                return False
            self._metrics.delivered.inc()
        return True


def _by_user(page: Iterable[PendingCommand]) -> dict[UUID, list[PendingCommand]]:
    users: defaultdict[UUID, list[PendingCommand]] = defaultdict(list)
    for pending in page:
        users[pending.user_id].append(pending)
    return users
