"""By which secrets apps are logged in, and whether any of them is revoked: looked for beside the keeper's rounds, since
it may take the broker long.

Nobody waits for it, and who is revoked or paused least of all: a look that fails is counted, and the next one is tried.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from workers.apps.carrying_out import carried_out
from workers.apps.deciding import end, in_use, left_over
from workers.apps.management import AwayError, Management
from workers.apps.meters import AppsMeters
from workers.apps.store import AppsStore
from workers.ledger.faults import Fault

_EVERY_SECONDS: Final = 60.0
"""Between looks; what is noted is no finer than five minutes, and nobody is to be found who was not ended at once."""

_log = structlog.get_logger(__name__)


class Uses:
    """``store`` must be its own: a statement of another's waits behind one that is under way."""

    def __init__(self, management: Management, store: AppsStore, meters: AppsMeters) -> None:
        self._management = management
        self._store = store
        self._meters = meters

    async def run(self) -> None:
        """Looks now and then, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_SECONDS)

    async def look(self) -> None:
        """Notes who is logged in now, once, and ends whoever is so no more."""
        try:
            apps = await self._store.list_apps()  # first: a login that goes meanwhile is not gone by these
            logged_in = await self._management.logged_in()
            for login in left_over(apps, logged_in):
                if await carried_out(self._management, self._meters, "removed", login, end(login)):
                    _log.warning("who came in while the login went is put out", login=login)
            if used := in_use(apps, logged_in):
                await self._store.note_used(used)
        except (AwayError, Fault) as error:
            self._meters.uses_failed.inc()
            _log.warning("it is not seen who is logged in", reason=str(error))
