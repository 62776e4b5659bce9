"""The keeper: round after round it makes the broker's logins of apps as the rows say, at once when the rows change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import structlog

from workers.apps.carrying_out import carried_out
from workers.apps.deciding import decide, decide_pauses, decide_ways, next_end, paused_logins
from workers.apps.hearing import Hearing
from workers.apps.management import AwayError, Management
from workers.apps.meters import AppsMeters
from workers.apps.model import Task
from workers.apps.settings import AppsSettings
from workers.apps.store import SCHEMA_NEEDED, AppsStore
from workers.apps.uses import Uses
from workers.background import Background
from workers.broker.address import Address
from workers.ledger.faults import Fault, NotDurable
from workers.ledger.store.fitness import check_durability
from workers.ledger.store.session import Session
from workers.process_settings import SettingsError
from workers.waiting import wait_at_most

_ROUND_SECONDS: Final = 30.0
"""Between rounds that nobody asked for: they mend what somebody changed at the broker, or a broker that is new."""
_END_SECONDS: Final = 0.05
"""Behind the end of a login's pause, so that it is over by the database's clock too."""
_PAUSE_SECONDS: Final = 1.0
"""After a round that did not come to its end."""

_log = structlog.get_logger(__name__)


class Keeper:
    """Runs until stopped; what is away is waited for. Raises ``SettingsError`` for an address that cannot be read."""

    def __init__(self, settings: AppsSettings, meters: AppsMeters) -> None:
        self._settings = settings
        self._meters = meters
        name = settings.mana_process_name
        try:
            address = Address.of(settings.amqp_url)
        except ValueError as error:
            raise SettingsError(f"AMQP_URL: {error}") from error
        self._management = Management(settings.rabbitmq_management_url, address)
        self._store = AppsStore(settings.database_url, application_name=name)
        self._uses_store = AppsStore(settings.database_url, application_name=f"{name} uses")
        self._uses = Uses(self._management, self._uses_store, meters)
        self._changed = asyncio.Event()
        self._hearing = Hearing(settings.database_url, self._changed.set, application_name=f"{name} changes")
        self._stopping = asyncio.Event()
        self._paused: list[str] = []
        """Logins whose connections were ended for their pause."""
        self._due = 0.0
        """When the next round is due on the loop's clock, though nobody asks for it."""
        self._problems: dict[str, str] = {"logins": "not looked at yet"}

    def stop(self) -> None:
        """Begins to end."""
        self._stopping.set()

    def problems(self) -> dict[str, str]:
        """The parts that do not work now."""
        deaf = self._hearing.problem
        return self._problems | ({} if deaf is None else {"postgresql": deaf})

    async def run(self) -> None:
        """Works until stopped. Raises ``NotDurable`` for a schema that is not this code's; ``BackgroundEndedError``."""
        lasting = {"changes heard": self._hearing.run(), "logins kept": self._keep(), "uses seen": self._uses.run()}
        background = Background(lasting, self.stop)
        try:
            await self._stopping.wait()
        finally:
            await background.close()
            await self._management.close()
            await self._store.close()
            await self._uses_store.close()

    async def _keep(self) -> None:
        checked = False
        while True:
            self._changed.clear()
            try:
                checked = checked or await self._check()
                whole = await self._round()
            except NotDurable:
                raise
            except Fault as fault:
                self._away("postgresql", str(fault))
            except AwayError as error:
                self._away("rabbitmq", str(error))
            else:
                self._problems = {}
                if whole:
                    self._meters.rounded.set(time.time())
                    await wait_at_most(self._changed, max(self._due - asyncio.get_running_loop().time(), 0.0))
                    continue
            await wait_at_most(self._changed, _PAUSE_SECONDS)

    def _away(self, part: str, problem: str) -> None:
        self._problems = {part: problem}
        _log.warning("apps' logins cannot be looked after", part=part, reason=problem)

    async def _round(self) -> bool:
        """Whether all is as the rows say now. What the broker refuses keeps nothing else from being done."""
        apps = await self._store.list_apps()
        end = next_end(apps)
        after = _ROUND_SECONDS if end is None else min(end + _END_SECONDS, _ROUND_SECONDS)
        self._due = asyncio.get_running_loop().time() + after
        pauses = await self._do_all(decide_pauses(apps, self._paused))
        self._paused = paused_logins(apps) if pauses else []
        vhost = self._management.vhost
        logins = await self._do_all(decide(apps, await self._management.held(), vhost))
        # Afterwards: what clients have made may be too much to be read, and must keep nobody from being revoked.
        ways = await self._do_all(decide_ways(apps, await self._management.ways(), vhost))
        return pauses and logins and ways

    async def _do_all(self, tasks: Sequence[Task]) -> bool:
        self._meters.waiting.set(len(tasks))
        done = [await self._do(task) for task in tasks]
        self._meters.waiting.set(done.count(False))
        return all(done)

    async def _do(self, task: Task) -> bool:
        if not await carried_out(self._management, self._meters, task.kind, task.about, task.calls):
            return False
        if task.secret_id is not None and task.made is not None:
            await self._store.note_made(task.secret_id, task.made)
        if task.secret_id is not None and task.gone:
            await self._store.note_gone(task.secret_id)
        if task.calls:
            self._meters.done.labels(task.kind).inc()
            _log.info("done at the broker", what=task.kind, about=task.about)
        return True

    async def _check(self) -> bool:
        """True for a database with the schema that this code was written with. Raises ``NotDurable``."""
        name = f"{self._settings.mana_process_name} check"
        session = await Session.open(self._settings.database_url, application_name=name)
        try:
            await check_durability(session, SCHEMA_NEEDED)
        finally:
            session.abort()
        return True
