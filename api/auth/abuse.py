"""Abuse of sign-in, as an auditor finds it among the security events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog

from api.auth import store
from api.auth.model import NOWHERE, SecurityEvent
from api.database import Database
from api.errors import Unavailable

_NOBODY: Final = UUID(int=0)

_log = structlog.get_logger(__name__)


def noted_pressure(database: Database) -> Callable[[], Awaitable[None]]:
    """What notes that sign-ins are under pressure: of everybody together, so it is nobody's event."""

    async def note() -> None:
        try:
            async with database.as_user(_NOBODY) as connection:
                await store.add_event(connection, SecurityEvent("abuse.pressure", NOWHERE))
        except Unavailable as error:
            # The limits hold all the same, and the metric and the log tell of it.
            _log.warning("pressure on sign-ins could not be noted", reason=str(error))

    return note
