"""The process that counts uses: one of all that run, the others wait for its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog

from workers.broker.errors import BrokerError
from workers.ledger.faults import Fault, NotDurable
from workers.ledger.store.fitness import check_durability
from workers.ledger.store.session import Session
from workers.usage.following import Following, following
from workers.usage.meters import UsageMeters
from workers.usage.recording import Recording
from workers.usage.settings import UsageSettings
from workers.usage.store import SCHEMA_NEEDED, SETTINGS, UsageStore
from workers.waiting import wait_at_most

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 1.0
"""Between two tries: after a fault, and for the place of the process that counts."""
_TOUCH_SECONDS: Final = 2.0
"""A session that is silent for some times this is ended by the server, so that another process takes over."""
_LOOK_SECONDS: Final = 600.0
"""Between two looks at the whole ledger, however much comes by the stream."""
_LOST_AFTER: Final = timedelta(minutes=1)
"""What has not come by the stream in this time will not: a broker that died has lost it."""


class UsageWorker:
    """Runs until stopped; what is away is waited for."""

    def __init__(self, settings: UsageSettings, meters: UsageMeters) -> None:
        self._settings = settings
        self._meters = meters
        self._stopping = asyncio.Event()
        self._problems = {"postgresql": "not asked yet", "rabbitmq": "not asked yet"}

    def stop(self) -> None:
        """Begins to end."""
        self._stopping.set()

    def problems(self) -> dict[str, str]:
        """The parts that do not work now."""
        return dict(self._problems)

    async def run(self) -> None:
        """Counts until stopped. Raises ``NotDurable``: what it must refuse to run on."""
        counting = asyncio.create_task(self._terms())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({counting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            counting.cancel()
            stopping.cancel()
            await asyncio.wait({counting, stopping})
        if not counting.cancelled():
            counting.result()

    async def _terms(self) -> None:
        while True:
            try:
                await self._term()
            except NotDurable:
                raise
            except Fault as fault:
                self._wait_for("postgresql", fault)
            except BrokerError as error:
                self._wait_for("rabbitmq", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _wait_for(self, part: str, error: Exception) -> None:
        _log.warning("nothing is counted now", waits_for=part, reason=str(error))
        self._problems[part] = str(error)

    async def _term(self) -> None:
        """From connecting to a loss."""
        name = self._settings.mana_process_name
        await self._check()
        async with following(self._settings.amqp_url, name) as stream, self._session() as session:
            self._problems.clear()
            store = UsageStore(session)
            while not await store.try_lock():
                await wait_at_most(self._stopping, _PAUSE_SECONDS)
            self._meters.counting.set(1)
            try:
                await self._begin(store, stream)
                await self._follow(store, stream)
            finally:
                self._meters.counting.set(0)

    async def _check(self) -> None:
        session = await Session.open(
            self._settings.database_url, application_name=f"{self._settings.mana_process_name} check"
        )
        try:
            await check_durability(session, SCHEMA_NEEDED)
        finally:
            session.abort()

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[Session]:
        session = await Session.open(
            self._settings.database_url, application_name=self._settings.mana_process_name, settings=SETTINGS
        )
        try:
            yield session
        finally:
            session.abort()

    async def _begin(self, store: UsageStore, stream: Following) -> None:
        """Goes on where it was; without a place there, from the ledger: what comes behind that comes by the stream.

        The stream is read first: what it does not bring from then on is in the ledger when that is counted.
        """
        place = await store.find_place()
        if place is None:
            await stream.begin("next")
        elif await stream.resume(place):
            return
        else:
            self._meters.breaks.inc()
            await stream.begin("first")
        await self._catch_up(store)

    async def _follow(self, store: UsageStore, stream: Following) -> None:
        recording = Recording(store, self._meters)
        loop = asyncio.get_running_loop()
        look_at = loop.time() + _LOOK_SECONDS
        while True:
            batch = await stream.batch(_TOUCH_SECONDS)
            if batch:
                await recording.record(batch, moving=True)
                stream.done(batch)
            else:
                await store.touch()
            if loop.time() >= look_at:
                await self._catch_up(store, _LOST_AFTER)
                look_at = loop.time() + _LOOK_SECONDS

    async def _catch_up(self, store: UsageStore, older_than: timedelta = timedelta(0)) -> None:
        number = await store.catch_up(older_than)
        self._meters.healed.inc(number)
        if number:
            _log.info("counted from the ledger", accounts=number)
