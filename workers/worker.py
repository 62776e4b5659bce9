"""A ledger worker: its connections, and one term after another for as long as the process lives."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from typing import Final
from uuid import uuid4

import structlog
from uuid_utils import uuid7

from workers.background import Background
from workers.broker.address import Address
from workers.broker.declaring import waiting
from workers.broker.late import LateReplies
from workers.broker.publisher import Publisher
from workers.broker.publishing import Publishing
from workers.checks import await_broker, await_ledger, check_ledger
from workers.intake.batching import Ready
from workers.intake.commandlink import CommandLink
from workers.intake.fairness import Fairness, Limits
from workers.intake.inlet import Desk
from workers.intake.inlets import Inlets
from workers.intake.keeping import Keeping
from workers.intake.pausing import Pausing
from workers.intake.term import Station, Term
from workers.intake.watching import Watching
from workers.ledger.faults import Broken, ConnectionLost, Fault, LeaseLost, NotDurable, TryAgain
from workers.ledger.model import Terms
from workers.ledger.store.apps import Directory
from workers.ledger.store.journal import Journal
from workers.ledger.store.pauses import Pauses
from workers.ledger.store.session import Session
from workers.meters import Meters
from workers.settings import Settings

_log = structlog.get_logger(__name__)

_BETWEEN_TERMS_SECONDS: Final = (0.1, 0.6)
"""The shortest and the longest; drawn evenly, so that workers that lost their leases at once do not return at once."""
_DRAIN_SECONDS: Final = 15.0
_LATE_SECONDS: Final = 2.0
"""How long the replies that go out last may take, once all else is done."""


class Worker:
    """Joins the parts. ``problems`` names what a restart or an operator must mend."""

    def __init__(self, settings: Settings, meters: Meters, watching: Watching | None = None) -> None:
        self.meters = meters
        self.problems: dict[str, str] = {}
        self.term: Term | None = None
        name, watching = settings.mana_process_name, watching or Watching()
        self.link = CommandLink(settings.amqp_url, f"{name} commands", single_node=settings.mana_single_broker_node)
        self.publishing = Publishing(settings.amqp_url, f"{name} events", self._attach, watching.open_publisher)
        self.late = LateReplies(settings.amqp_url, meters.late_replies_lost.inc)
        ready, directory = Ready(), Directory()
        limits = Limits(settings.app_commands_per_second, settings.app_unanswered_max)
        fairness = Fairness(limits, settings.mana_partitions)
        pauses = Pauses(settings.database_url, application_name=f"{name} pauses")
        pausing = Pausing(
            settings.logins,
            pauses,
            self._waiting,
            fairness.narrow,
            shortest=settings.app_flood_pause,
            meters=meters,
        )
        keeping = Keeping(
            self.publishing,
            meters,
            login=Address.of(settings.amqp_url).login,
            share=lambda: fairness.share(self._owned),
        )
        desk = Desk(
            settings.logins,
            ready.arrived,
            keeping.keep,
            self.late.send_later,
            meters,
            reply_nodes=lambda: self.link.reply_nodes,
            apps=lambda: directory.apps,
            admit=lambda app: fairness.admit(app, self._owned, time.monotonic()),
            let_go=fairness.answered,
            refused=lambda login, app, partition: pausing.refused(
                login, app, fairness.allowed(app, self._owned), partition
            ),
            read=watching.read,
        )
        self.inlets = Inlets(self.link, desk, meters)
        meters.partitions.set(settings.mana_partitions)
        meters.blocked.set_function(lambda: self.link.blocked or self.publishing.blocked)
        meters.kept_refused.set_function(lambda: sum(self.publishing.refused.values()))
        self._pausing = pausing
        self._settings = settings
        self._stopping = asyncio.Event()
        self._journal = Journal(settings.database_url, application_name=f"{name} journal")
        self._publisher: Publisher | None = None
        self._station = Station(
            worker_id=str(uuid4()),
            name=name,
            partitions=settings.mana_partitions,
            batch_max=settings.mana_batch_max,
            terms=Terms(
                signup_bonus=settings.credits_signup_bonus,
                daily_free=settings.credits_daily_free,
                refund_policy=settings.credits_refund_policy,
            ),
            ids=iter(lambda: str(uuid7()), ""),
            link=self.link,
            inlets=self.inlets,
            ready=ready,
            directory=directory,
            read_after=self._journal.read_after,
            meters=meters,
            watching=watching,
            refusals_kept=settings.refusals_expiry,
        )

    @property
    def _owned(self) -> int:
        """How many partitions are ours."""
        return 0 if self.term is None else len(self.term.holdings.epochs)

    async def _waiting(self, partition: int) -> int:
        return await waiting(await self.link.up(), partition)

    def stop(self) -> None:
        """Begins to drain; :meth:`run` returns when it is done. May be repeated."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until stopped. Raises ``NotDurable``, ``QueueMismatchError``: what it must refuse to run on.

        ``BackgroundEndedError``: one of its connections' keepers has failed, and only a new process has all of them.
        """
        parts = {
            "commands": self.link.run(),
            "partitions": self.inlets.run(),
            "events": self.publishing.run(),
            "late replies": self.late.run(),
            "pauses": self._pausing.run(),
        }
        background = Background(parts, self.stop)
        try:
            await self._until_stopped(self._check())
            while not self._stopping.is_set():
                await self._next_term()
            await self.late.drain(_LATE_SECONDS)
        finally:
            await self._journal.close()
            await background.close()
            await self._pausing.close()
            await asyncio.to_thread(self._station.watching.close)

    async def _check(self) -> None:
        settings = self._settings
        await await_ledger(settings.database_url, settings.mana_process_name, settings.mana_partitions)
        await await_broker(self.link, settings.mana_partitions)

    async def _next_term(self) -> None:
        try:
            await self._run_term()
        except* NotDurable:
            raise
        except* Broken as broken:
            await self._give_up(broken)
        except* (ConnectionLost, LeaseLost, TryAgain) as faults:
            reason = "; ".join(map(str, faults.exceptions))
            _log.warning("all leases are gone: once more from the beginning", reason=reason)
            await self._pause()

    async def _run_term(self) -> None:
        settings = self._settings
        session = await Session.open(settings.database_url, application_name=settings.mana_process_name)
        try:
            await check_ledger(session, settings.mana_partitions)
        except Fault:
            session.abort()
            raise
        term = Term(self._station, session)
        if self._publisher is not None:
            term.attach(self._publisher)
        self.term = term
        try:
            await self._within_drain(term)
        finally:
            self.term = None

    async def _within_drain(self, term: Term) -> None:
        running = asyncio.create_task(term.run(self._stopping))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(_DRAIN_SECONDS):
                await running
        except TimeoutError:
            _log.error("not drained in time: what is unfinished is left to others")
        finally:
            stopping.cancel()

    async def _give_up(self, broken: BaseExceptionGroup[Broken]) -> None:
        """Consumes no more, and says why, until a person has looked."""
        reason = "; ".join(map(str, broken.exceptions))
        self.problems["ledger"] = reason
        _log.error("broken: not consuming any more", reason=reason)
        await self._stopping.wait()

    async def _pause(self) -> None:
        await self._until_stopped(asyncio.sleep(random.uniform(*_BETWEEN_TERMS_SECONDS)))  # noqa: S311  no secret

    async def _until_stopped(self, work: Coroutine[None, None, object]) -> None:
        """Runs ``work`` to its end, or until we are told to stop."""
        working = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if working.done():
            working.result()
        else:
            working.cancel()
            await asyncio.wait({working})

    def _attach(self, publisher: Publisher) -> None:
        self._publisher = publisher
        if self.term is not None:
            self.term.attach(publisher)
