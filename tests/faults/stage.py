"""What a scenario is given: processes and servers to hurt, load to hurt them under, and a place for its proofs."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from ops.instance import Instance
from tests.faults.oracle import journal as journals
from tests.faults.oracle.client import Client
from tests.faults.oracle.journal import Journal, Told
from tests.faults.oracle.load import Load, Sender
from tests.faults.oracle.mix import Mix
from tests.faults.oracle.population import fresh_users, prepare
from tests.faults.oracle.probing import probe, probe_users
from tests.faults.oracle.rest import Rest, rest
from tests.faults.oracle.subscribing import Subscriber
from tests.faults.scenario import Scale, Scenario
from tests.faults.tools.broker import Broker
from tests.faults.tools.front import Front
from tests.faults.tools.kept import Kept
from tests.faults.tools.postgres import Database
from tests.faults.tools.workers import Workers

T = TypeVar("T")

PATIENCE: Final = 90.0
"""Seconds after which a service that does not answer counts as not coming back at all."""
_MORE_ROUNDS: Final = 10
RATE: Final = 300.0
"""Commands a second of the plan's ordinary load."""
CREDITS: Final = 1_000_000
_POOR: Final = 50
"""Users that have hardly any credits."""
_FRONT_SETTINGS: Final = {"RATE_LIMIT_MAX": "1000000"}


@dataclass
class Notes:
    """What a scenario tells of itself.

    ``recoveries`` are in seconds, by kind of fault; ``allowed``: of the kinds that may take another time than the
    scenario's.
    """

    injected: dict[str, int] = field(default_factory=dict[str, int])
    recoveries: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    allowed: dict[str, float] = field(default_factory=dict[str, float])
    figures: dict[str, str] = field(default_factory=dict[str, str])
    broken: list[str] = field(default_factory=list[str])


class Stage:
    """One run of one scenario.

    ``dead`` names the bodies that it puts into ``credits.dead`` by purpose (``oracle.dead.body_name``). ``ordered`` is
    made false by a scenario whose fault allows a user's commands to be decided in another order; ``dead_again`` is made
    true by one that kills workers, or cuts them off, while such bodies are in their hands; ``refusals_kept`` is made
    false by one in which days pass, since refusals are kept for one.
    """

    subscriber: Subscriber
    """The independent one, there from before the first command."""

    def __init__(self, instance: Instance, scenario: Scenario, scale: Scale, seed: int, folder: Path) -> None:
        self.instance = instance
        self.scenario = scenario
        self.scale: Scale = scale
        self.random = random.Random(f"{seed}/{scenario.id}")
        self.folder = folder
        self.run = f"{scenario.id.lower()}-{self.random.getrandbits(32):08x}"
        self.notes = Notes()
        self.dead: set[str] = set()
        self.ordered = True
        self.dead_again = False
        self.refusals_kept = True
        self.journal = Journal(folder / "journal.jsonl", self.run)
        self.client = Client(self.amqp_url, self.journal)
        self.workers = Workers(instance, folder)
        self.front = Front(instance, folder)
        self.broker = Broker(instance)
        self.database = Database(instance)
        self._users: list[str] = []
        self._poor: list[str] = []
        self._probed: dict[int, str] = {}

    @property
    def amqp_url(self) -> str:
        """The administrator's, straight to the broker."""
        return self.instance.env["MANA_AMQP_URL"]

    @property
    def database_url(self) -> str:
        """The owner's, who sees all rows."""
        return self.instance.env["MANA_DATABASE_OWNER_URL"]

    def size(self, *, fast: T, usual: T, nightly: T) -> T:
        """The size for the scale of this run."""
        return {"fast": fast, "usual": usual, "nightly": nightly}[self.scale]

    def injected(self, what: str, times: int = 1) -> None:
        """Notes a fault that is known to have happened, so many times."""
        if times:
            self.notes.injected[what] = self.notes.injected.get(what, 0) + times

    def rounds(self, until: str, *, fast: int, usual: int, nightly: int) -> Iterator[int]:
        """As many rounds as the scale has, and up to ten more while the fault ``until`` was not injected: it is likely
        in each round, and not certain."""
        least = self.size(fast=fast, usual=usual, nightly=nightly)
        for done in range(least + _MORE_ROUNDS):
            if done >= least and self.notes.injected.get(until):
                return
            yield done

    def figure(self, name: str, value: object) -> None:
        """Notes a figure for the page."""
        self.notes.figures[name] = f"{value:.2f}" if isinstance(value, float) else str(value)

    def must(self, holds: object, what: str) -> None:
        """Notes what does not hold though it must, besides the oracle's equations."""
        if not holds:
            self.notes.broken.append(what)

    def refused_again(self, load: Load) -> None:
        """Notes that refused messages were sent once more when there were credits for them, which must have been."""
        self.figure("refused messages sent again when credits had come", load.asked_again)
        self.must(load.asked_again, "no refused message was sent again")

    async def told(self) -> Told:
        """The journal so far."""
        await self.journal.synced()
        return journals.read(self.journal.path)

    async def users(self, number: int | None = None) -> list[str]:
        """The run's users: opened and granted on the first call, which needs a worker."""
        if not self._users:
            self._users = fresh_users(number or self.size(fast=100, usual=2_000, nightly=20_000))
            await prepare(self.client, self._users, CREDITS)
            self._poor = fresh_users(_POOR)
            await prepare(self.client, self._poor, 1)
            self._probed = await probe_users(self.client, self.database_url, self._users, self.scenario.partitions)
        return self._users

    @asynccontextmanager
    async def load(
        self,
        rate: float = RATE,
        *,
        users: list[str] | None = None,
        client: Sender | None = None,
        mix: Mix | None = None,
        deadline: float = 10.0,
    ) -> AsyncGenerator[Load]:
        """The ordinary load while the block lasts; its last commands are awaited at the end.

        A part of it comes over REST, unless the ``mix`` has none: by the fronts that are there, else by one of its own,
        for which the fast size has no time. The run's poor users are part of it, but for a load that is to come from
        nobody but ``users``.
        """
        chosen, mix = users or await self.users(), mix or Mix()
        async with AsyncExitStack() as stack:
            if mix.rest and not self.front.present and self.scale != "fast":
                await stack.enter_async_context(self._own_front())
            load = Load(
                client or self.client,
                chosen,
                rate=rate,
                mix=mix,
                seed=self.random.getrandbits(32),
                rest=await stack.enter_async_context(self.rest()) if mix.rest and self.front.present else None,
                poor=() if users else self._poor,
                deadline=deadline,
            )
            yield await stack.enter_async_context(load)

    @asynccontextmanager
    async def _own_front(self) -> AsyncGenerator[None]:
        """A front that no fault is meant for: it outlives all of them."""
        await self.start_front()
        front = self.front.fronts[-1]
        yield
        self.must(not front.restarts, f"{front.name} died, {front.restarts} times, of what was done to others")
        await front.drain()

    @asynccontextmanager
    async def rest(self, number: int = 5) -> AsyncGenerator[Rest]:
        """So many users of the fronts, signed in and granted credits."""
        async with rest(self.front.url, self.journal, self.front.balancer()) as signed_in:
            await prepare(self.client, await signed_in.sign_up(number), CREDITS, opened=True)
            yield signed_in

    async def start_front(self, number: int = 1, *, checkout: Path | None = None, **given: str) -> list[Kept]:
        """Fronts that limit no rates, which a load would meet. ``checkout``: another version's code."""
        return await self.front.start(number, environment=_FRONT_SETTINGS, checkout=checkout, **given)

    async def recovers(self, what: str, since: float | None = None, *, within: float | None = None) -> float:
        """As ``answered``; notes, and answers, the seconds ``since`` (monotonic) until then.

        ``within``: so many seconds are allowed for this kind of fault, in place of the scenario's.
        """
        began = time.monotonic() if since is None else since
        seconds = await self.answered(what) - began
        self.recovered(what, seconds)
        if within is not None:
            self.notes.allowed[what] = within
        return seconds

    def recovered(self, what: str, seconds: float) -> None:
        """Notes a recovery that was seen otherwise than by ``recovers``."""
        self.notes.recoveries.setdefault(what, []).append(seconds)

    async def answered(self, what: str) -> float:
        """Waits until each partition has answered a new command within a second; when the last one did (monotonic).

        A partition that stays silent is noted, and counts as answering when it was given up.
        """
        await self.users()
        asked = time.monotonic()
        took = await probe(self.client, self._probed, PATIENCE)
        silent = sorted(partition for partition, seconds in took.items() if seconds is None)
        self.must(not silent, f"{what}: partitions {silent} did not answer within {PATIENCE:.0f} s")
        return asked + max(PATIENCE if seconds is None else seconds for seconds in took.values())

    async def pass_time(self, *, fast: float, usual: float, nightly: float) -> None:
        """Lets the load run for so many seconds."""
        await asyncio.sleep(self.size(fast=fast, usual=usual, nightly=nightly))
