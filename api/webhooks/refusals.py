"""Refused webhooks, as an auditor finds them among the security events."""

from __future__ import annotations

from typing import Final, Literal

import structlog

from api.auth import store
from api.auth.model import Client, SecurityEvent
from api.clock import Clock
from api.database import Database
from api.errors import Unavailable
from api.patience import told_soon
from api.webhooks.signature import Flaw

EVENTS_PER_MINUTE: Final = 10
"""Of one process: anybody can send what is refused, and nobody is to fill a table by it. The metric counts all."""
_WRITE_SECONDS_MAX: Final = 1.0

Reason = Literal["header", Flaw, "malformed"]
"""No signature that could be one; its flaw; or it is good, and what was signed is no event."""

_log = structlog.get_logger(__name__)


class Refusals:
    """Writes events of refusals, some in each minute; each tells how many before it were left out."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._minute = 0
        self._written = 0
        self._left_out = 0

    async def note(self, reason: Reason, client: Client) -> None:
        """One more. Where the database does not take it soon, the log does."""
        if not self._has_room():
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        event = SecurityEvent("webhook.refused", client, details={"reason": reason, "left_out": str(left_out)})
        try:
            await told_soon(self._write(event), _WRITE_SECONDS_MAX, "the database does not take a security event")
        except Unavailable as error:
            _log.warning(
                "a webhook was refused", reason=reason, address=client.address, left_out=left_out, unnoted=str(error)
            )

    def _has_room(self) -> bool:
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute, self._written = minute, 0
        self._written += 1
        return self._written <= EVENTS_PER_MINUTE

    async def _write(self, event: SecurityEvent) -> None:
        async with self._database.transaction() as connection:
            await store.add_event(connection, event)
