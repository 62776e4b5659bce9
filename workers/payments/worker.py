"""The payments worker: joins its parts, and looks after its own health."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from contracts.topology import STRIPE_QUEUE
from workers.background import Background
from workers.broker.inflow import Inflow
from workers.ledger.faults import ConnectionLost, TryAgain
from workers.ledger.store.fitness import check_durability
from workers.ledger.store.session import Session
from workers.payments.asking import Stripe
from workers.payments.keeping import IN_HAND, Keeping
from workers.payments.leaving.abandoned import GivingUp
from workers.payments.leaving.forgetting import Forgetting
from workers.payments.leaving.meters import LeavingMeters
from workers.payments.leaving.rounds import Leaving
from workers.payments.leaving.store import LeavingStore
from workers.payments.meters import PaymentsMeters
from workers.payments.reconciling.meters import ReconcilingMeters
from workers.payments.reconciling.timer import Timer
from workers.payments.sending import Sending
from workers.payments.settings import PaymentsSettings
from workers.payments.store import SCHEMA_NEEDED, EventStore
from workers.payments.telling import Telling
from workers.payments.topping_up.charging import Charging
from workers.payments.topping_up.looking import Looking
from workers.payments.topping_up.meters import TopupMeters
from workers.payments.topping_up.store import TopupStore
from workers.payments.topping_up.telling import FailureTelling
from workers.payments.upkeep import Upkeep
from workers.payments.watching import Watching
from workers.payments.working import Working

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS: Final = 1.0


class PaymentsWorker:
    """Runs until stopped; what is away is waited for."""

    def __init__(self, settings: PaymentsSettings, meters: PaymentsMeters) -> None:
        self._settings = settings
        name = settings.mana_process_name
        # What is taken in must not wait for what is worked off.
        self._incoming = EventStore(settings.database_url, application_name=f"{name} incoming")
        self._store = EventStore(settings.database_url, application_name=name)
        self._stripe = Stripe(settings.stripe_secret_key, settings.stripe_api_url, meters)
        self._sending = Sending(settings.amqp_url, f"{name} commands", meters)
        self._watching = Watching(self._store, meters)
        telling = Telling(self._store, self._sending, self._watching, meters)
        self._working = Working(self._store, self._stripe, telling, self._watching, settings.live)
        self._keeping = Keeping(self._incoming, meters, self._working.wake)
        topups, counted = TopupStore(settings.database_url, application_name=f"{name} top-ups"), TopupMeters()
        self._topups = topups
        self._charging = Charging(topups, self._stripe, counted, settings.live)
        self._looking = None if settings.live is None else Looking(topups, counted, settings.live)
        self._failures = FailureTelling(topups, self._sending, counted)
        self._upkeep = Upkeep(self._store, self._watching, meters)
        self._left, left = LeavingStore(settings.database_url, application_name=f"{name} leaving"), LeavingMeters()
        self._leaving = Leaving(
            Forgetting(self._left, self._stripe, left, settings.live),
            GivingUp(self._left, self._stripe, self._sending, left, settings.live),
        )
        self._timer = Timer(settings, meters, ReconcilingMeters())
        self.inflow = Inflow(settings.amqp_url, STRIPE_QUEUE, self._keeping.keep, at_once=IN_HAND)
        self._stopping = asyncio.Event()
        self._unchecked: str | None = "not asked yet"

    def stop(self) -> None:
        """Begins to end."""
        self._stopping.set()

    def problems(self) -> dict[str, str]:
        """The parts that do not work now. Stripe is none of them: what has to be asked waits for it."""
        database = self._unchecked or self._keeping.problem or self._working.problem
        broker = self.inflow.problem or self._sending.problem
        found = {"postgresql": database, "rabbitmq": broker}
        return {part: problem for part, problem in found.items() if problem is not None}

    async def run(self) -> None:
        """Works until stopped. Raises ``NotDurable``: what it must refuse to run on; ``BackgroundEndedError``."""
        try:
            if await self._checked():
                await self._work()
        finally:
            await self._stripe.close()
            await self._incoming.close()
            await self._store.close()
            await self._topups.close()
            await self._left.close()

    async def _work(self) -> None:
        lasting = {
            "events taken in": self._keeping.run(),
            "commands sent": self._sending.run(),
            "events worked off": self._working.run(),
            "events watched": self._watching.run(),
            "top-ups charged": self._charging.run(),
            "failed top-ups told": self._failures.run(),
            "upkeep": self._upkeep.run(),
            "put in order": self._leaving.run(),
        }
        if self._looking is not None:
            lasting["top-ups looked for"] = self._looking.run()
        if self._settings.stripe_secret_key is not None:
            lasting["compared with Stripe"] = self._timer.run()
        background = Background(lasting, self.stop)
        listening = asyncio.create_task(self.inflow.listen())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # What is in hand is kept and acknowledged first: only then may the rest go.
            listening.cancel()
            stopping.cancel()
            await asyncio.wait({listening, stopping})
            await background.close()
        if not listening.cancelled():
            listening.result()

    async def _checked(self) -> bool:
        """Waits for a database that events can be kept in; false where it is told to stop before."""
        while not self._stopping.is_set():
            try:
                await self._check()
            except (TryAgain, ConnectionLost) as fault:
                _log.warning("the database cannot be checked yet", reason=str(fault))
                self._unchecked = str(fault)
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self._unchecked = None
                return True
        return False

    async def _check(self) -> None:
        session = await Session.open(
            self._settings.database_url, application_name=f"{self._settings.mana_process_name} check"
        )
        try:
            await check_durability(session, SCHEMA_NEEDED)
        finally:
            session.abort()
