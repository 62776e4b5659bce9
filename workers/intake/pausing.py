"""Has logins that flood kept out for a while: it writes rows, and the keeper of logins does it (``workers.apps``)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from contracts.apps import App
from contracts.permissions import Logins
from workers.broker.errors import BrokerLostError
from workers.intake.flooding import LATELY_SECONDS, Floods
from workers.ledger.faults import Fault
from workers.ledger.store.pauses import Pauses
from workers.meters import Meters

_log = structlog.get_logger(__name__)


class Pausing:
    """Looks into one login after the other, beside the commands' way. ``waiting``: what a partition's queue holds;
    ``paused`` is told of an app that has a paused login, and until when it is to be watched closely."""

    def __init__(
        self,
        logins: Logins,
        pauses: Pauses,
        waiting: Callable[[int], Awaitable[int]],
        paused: Callable[[App, float], None],
        *,
        shortest: timedelta,
        meters: Meters,
    ) -> None:
        self._logins = logins
        self._pauses = pauses
        self._waiting = waiting
        self._paused = paused
        self._shortest = shortest
        self._meters = meters
        self._floods = Floods()
        self._suspects: dict[str, tuple[App, int]] = {}
        self._suspected = asyncio.Event()

    def refused(self, login: str | None, app: App, allowed: float, partition: int) -> None:
        """A command of the login's was beyond a limit of its app's; ``allowed`` in a second by this worker.

        What a front sends for an app is no flood of the app's own logins, and the front has limits of its own.
        """
        if not login or not self._logins.are_apps(login):
            return
        if self._floods.refused(login, allowed, time.monotonic()):
            self._suspects[login] = app, partition
            self._suspected.set()

    async def run(self) -> None:
        """Looks into who is suspected, until cancelled."""
        while True:
            await self._suspected.wait()
            self._suspected.clear()
            suspects, self._suspects = self._suspects, {}
            for login, (app, partition) in suspects.items():
                try:
                    await self._look_into(login, app, partition)
                except (BrokerLostError, Fault) as error:  # who goes on flooding is looked into again
                    _log.warning("a flood could not be looked into", login=login, reason=str(error))

    async def close(self) -> None:
        """Ends the connection to the database."""
        await self._pauses.close()

    async def _look_into(self, login: str, app: App, partition: int) -> None:
        waiting = await self._waiting(partition)
        if not self._floods.endangers(login, waiting, time.monotonic()):
            return
        pause = await self._pauses.pause(login, self._shortest)
        if pause is None:  # somebody made it by hand, so it is not ours to change
            self._floods.paused(login, time.monotonic() + self._shortest.total_seconds())
            _log.warning("an app floods, and its login cannot be paused", login=login, app=app.id)
            return
        until = time.monotonic() + pause.seconds
        self._floods.paused(login, until)
        self._paused(app, until + LATELY_SECONDS)
        if pause.decided:
            self._meters.pauses.labels(app.id).inc()
            _log.warning(
                "an app floods: its login is paused", login=login, app=app.id, partition=partition, waiting=waiting,
                seconds=round(pause.seconds, 1),
            )  # fmt: skip
