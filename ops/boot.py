"""The order in which an instance comes up, and goes down."""

import asyncio
import logging
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from contracts.topology import PARTITIONS_DEFAULT
from ops import (
    adopted,
    declaring,
    envfile,
    given,
    layout,
    orphans,
    roles,
    rolling,
    rotation,
    schema,
    settling,
    stand_in,
    state,
    status,
    topology,
    urls,
)
from ops.addresses import DATABASE, Addresses
from ops.doors import Doors
from ops.errors import LauncherError, sentence
from ops.handover import Handover
from ops.layout import Layout, Pooling
from ops.monitoring import targets
from ops.place import Place
from ops.program import Program
from ops.programs import Programs
from ops.rotation import Rotation
from ops.servers import alertmanager, prometheus
from ops.servers.alertmanager import Alertmanager
from ops.servers.prometheus import Prometheus
from ops.settings import Settings
from ops.stages import Stages
from ops.status import Board

# Below this RabbitMQ would soon block every publisher (its own limit is 1 GiB).
_MIB = 1024 * 1024
_DISK_NEEDED = 1536 * _MIB
# In the order in which they go down. Payments after the front, which may have queued an event as its last act, and
# before the ledger's workers: what it still sends is carried out, and it can see that. Who counts uses comes
# behind those whose events are counted.
OURS = ("api", "relay", "clock", "mail", "apps", "payments", "workers", "usage")
# Those that begin to understand something before those that begin to send it.
ROLLED = tuple(reversed(OURS))
_SERVER_PATIENCE = 120.0
_PROCESS_PATIENCE = 90.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    `partitions` None: those that exist, else the default. `database`: a private server's. `with_stand_in`: buying, at a
    stand-in for Stripe. `monitored`: by a Prometheus of our own. `pooling`: fronts go through PgBouncer.
    """

    workers: int
    partitions: int | None
    processes: bool = True
    database: str = DATABASE
    with_stand_in: bool = False
    monitored: bool = False
    pooling: Pooling | None = None


class Boot:
    """Brings one instance up, and down again from wherever it got to."""

    def __init__(self, place: Place, wish: Wish, settings: Settings, board: Board) -> None:
        self._place = place
        self._wish = wish
        self._settings = settings
        self._board = board
        board.status.stripe_settings = stand_in.settings_given()
        self._new: list[tuple[str, Callable[[], Program]]] = []
        self._unknown: list[status.ProcessStatus] = []
        self._unwatched: list[str] = []
        self._changing: Rotation | None = None
        self._doors = Doors(os.environ.get("MANA_BIND_HOST") or "127.0.0.1")
        names = (*OURS, stand_in.NAME, prometheus.NAME, alertmanager.NAME, "pooler", "servers", "epmd")
        self._stages = Stages(names, place.logs, board)

    async def run(self) -> None:
        """Everything up and ready, and told in `env`. Raises LauncherError with the reason why not."""
        self._board.step("laying out")
        remembered = self._remember()
        plan = await given.reached(self._lay_out(remembered))
        state.save(self._place.state, remembered)
        self._board.step("starting the servers")
        partitions = await self._partitions(plan, remembered)
        await _side_by_side(
            self._database(plan, remembered, partitions), self._broker(plan, remembered, partitions), self._cache(plan)
        )
        remembered.partitions = partitions
        wish = self._wish
        remembered.chosen = state.Chosen(wish.workers, wish.monitored, pooled=wish.pooling is not None)
        programs = self._programs(plan, remembered, partitions)
        if self._wish.processes:
            self._board.step("starting the front and the workers")
            await self._processes(programs)
        if self._wish.monitored:
            self._board.step("starting Prometheus and Alertmanager")
            layout.choose_port(remembered, "monitoring")
            layout.choose_port(remembered, "alertmanager")
            for watcher in self._watchers(remembered).values():
                program = await watcher.prepare()
                await self._serve(program, stage=program.name)
        state.save(self._place.state, remembered)
        envfile.write(self._place.env, self._public(plan.addresses))
        self._changing = self._rotation(plan, remembered, programs)
        self._board.step("ready")
        self._board.phase("ready")

    async def take_over(self, left: Handover, told: status.Asked) -> None:
        """What the version of before has left: all of it goes on as it is.

        Where that fails, it stands in `told`, which has ended then. All goes on nevertheless, what was not reached
        without anybody who starts it again, and the next upgrade finds it.
        """
        if not await self._succeeds(told, self._take_over(left)):
            self._end(told)

    async def _take_over(self, left: Handover) -> None:
        self._doors.adopt(left.doors)
        remembered, told = state.load(self._place.state), envfile.read(self._place.env)
        if remembered is None or remembered.partitions is None or not told:
            raise LauncherError(f"{self._place.state} or {self._place.env} is missing: nothing can be taken over.")
        plan = layout.laid_out(remembered, self._settings, self._wish.database, pooling=self._wish.pooling)
        management = told["MANA_RABBITMQ_MANAGEMENT_URL"]
        plan = replace(plan, addresses=replace(plan.addresses, management=management))
        adopted.end_strays(entry.process for entry in self._board.status.processes)
        entries = {entry.name: entry for entry in self._board.status.processes}
        for stage, program in await layout.programs(plan):
            self._stages.keep(stage, program, entries.pop(program.name, None))
        programs = self._programs(plan, remembered, remembered.partitions)
        for stage, recipe in self._recipes(programs) if self._wish.processes else ():
            if entry := entries.pop(recipe().name, None):
                self._stages.start(stage, recipe, entry)
            else:
                self._new.append((stage, recipe))
        if self._wish.monitored:
            if alertmanager.NAME not in remembered.ports:
                layout.choose_port(remembered, "alertmanager")
            await self._take_over_watchers(remembered, entries)
        self._unknown = list(entries.values())
        self._changing = self._rotation(plan, remembered, programs)
        self._rolling = partial(self._roll, plan, remembered)

    async def rotate(self, wish: rotation.Wish) -> None:
        """Change passwords of a running instance; what became of it stands in the status."""
        told = self._board.status.rotation = status.Asked(wish.number)
        self._board.step("changing passwords")
        await self.answer(told, self._change(wish.parts))

    async def roll(self, told: status.Asked) -> None:
        """Replace what was taken over by this version, where it is ours; what became of it stands in `told`."""
        await self.answer(told, self._rolling())

    async def answer(self, told: status.Asked, work: Awaitable[None]) -> None:
        """Do what was asked for; what became of it stands in `told`."""
        await self._succeeds(told, work)
        self._end(told)

    async def _succeeds(self, told: status.Asked, work: Awaitable[None]) -> bool:
        try:
            await work
        except LauncherError as refusal:
            log.error("%s", refusal)  # noqa: TRY400 - the sentence says it all
            told.failure = str(refusal)
        except OSError as error:
            log.exception("what was asked for failed")
            told.failure = sentence(error)
        except Exception as error:  # a fault of ours: told like the others, and no reason to take everything down
            log.exception("what was asked for failed")
            told.failure = f"a fault of the launcher's own ({error!r}): see {self._place.logs}/supervisor.log"
        return told.failure is None

    def _end(self, told: status.Asked) -> None:
        told.ended = True
        self._board.step("ready")

    async def _change(self, parts: list[rotation.Part]) -> None:
        if self._changing is None:
            raise LauncherError("An upgrade stopped before all was taken over: ./mana up ends it, then ask again.")
        await self._changing.run(parts)

    async def _roll(self, plan: Layout, remembered: state.State) -> None:
        await settling.settle_database(self._place, plan, remembered)
        await settling.settle_broker(self._place, plan, remembered)
        self._board.step("declaring the topology")
        partitions = remembered.partitions or PARTITIONS_DEFAULT
        await declaring.declare(self._place, plan, remembered, partitions, self._settings)
        for child in (*self._stages["pooler"], *self._stages[alertmanager.NAME], *self._stages[prometheus.NAME]):
            child.renew(child.program, signal.SIGHUP)
        await rolling.roll(ROLLED, self._stages, self._new, _PROCESS_PATIENCE, self._board.step)
        for entry in self._unknown:
            log.warning("%s is not known to this version: ending it", entry.name)
            if entry.process:
                entry.process.terminate()
            self._board.remove(entry)
        envfile.write(self._place.env, self._public(plan.addresses))
        await self._watch_the_new(remembered)
        self._board.status.mixed = bool(self._unwatched)
        if self._unwatched:
            raise LauncherError(f"Every process of ours is new, but is not watched: {' '.join(self._unwatched)}")

    async def _watch_the_new(self, remembered: state.State) -> None:
        """Kinds of process that the version of before did not have, or at other addresses."""
        for child in self._stages[prometheus.NAME]:
            watcher = self._watchers(remembered)[prometheus.NAME]
            if program := await self._prepared(prometheus.NAME, watcher):
                child.renew(program, signal.SIGHUP)

    async def _take_over_watchers(self, remembered: state.State, entries: dict[str, status.ProcessStatus]) -> None:
        for name, watcher in self._watchers(remembered).items():
            entry, program = entries.pop(name, None), await self._prepared(name, watcher)
            if entry is None:
                log.warning("the version of before had no %s: the next start brings it", name)
            elif program:
                self._stages.keep(name, program, entry)

    async def _prepared(self, name: str, watcher: Alertmanager | Prometheus) -> Program | None:
        """None where that fails, which is told at the end: what is watched serves without."""
        try:
            return await watcher.prepare()
        except (LauncherError, OSError) as error:
            why = sentence(error) if isinstance(error, OSError) else str(error)
            log.error("%s is not watching: %s", name, why)  # noqa: TRY400 - the sentence says it all
            self._unwatched.append(why)
            return None

    def _rotation(self, plan: Layout, remembered: state.State, programs: Programs) -> Rotation:
        def save(addresses: Addresses) -> None:
            state.save(self._place.state, remembered)
            envfile.write(self._place.env, self._public(addresses))

        return Rotation(plan, remembered, programs, self._stages, save)

    @property
    def doors(self) -> Doors:
        """Where our processes listen."""
        return self._doors

    async def drain(self) -> None:
        """Stop what was started, in order; never raises for a process that was gone already."""
        self._doors.close("api")  # who asks from now on is to be refused, not to wait for nobody
        kept = {child.program.name for stage in self._stages.values() for child in stage}
        left = [entry for entry in self._board.status.processes if entry.name not in kept]
        await asyncio.to_thread(orphans.end, left)
        await self._stages.drain()

    def _lay_out(self, remembered: state.State) -> Layout:
        return layout.lay_out(remembered, self._settings, self._wish.database, pooling=self._wish.pooling)

    def _remember(self) -> state.State:
        remembered = state.load(self._place.state) or layout.first_state(self._place)
        remembered.given = sorted({*remembered.given, *self._settings.given})
        layout.find_room(remembered, self._settings)
        free = shutil.disk_usage(remembered.data).free
        if free < _DISK_NEEDED:
            raise LauncherError(
                f"The disk of {remembered.data} has {free // _MIB} MiB left, and {_DISK_NEEDED // _MIB} are needed:"
                " free some space, or name another place in MANA_HOME."
            )
        return remembered

    async def _partitions(self, plan: Layout, remembered: state.State) -> int:
        """As asked for, else as it was, else as a given broker has it already, else the default."""
        known = self._wish.partitions or remembered.partitions
        if known is None and plan.rabbitmq is None:
            known = await topology.partitions_of(declaring.management(plan), urls.vhost_of(plan.addresses.amqp))
        return known or PARTITIONS_DEFAULT

    async def _database(self, plan: Layout, remembered: state.State, partitions: int) -> None:
        addresses = plan.addresses
        if plan.postgres:
            await self._serve(await plan.postgres.prepare())
            await settling.settle_database(self._place, plan, remembered)
        await roles.establish(
            addresses.database,
            addresses.database_name,
            addresses.secrets.roles,
            take_over=declaring.owns(plan.postgres),
        )
        said = await schema.migrate(addresses.database_as("mana_owner"), partitions)
        log.info("migrations: %s", said)
        if plan.pgbouncer:
            await self._serve(await plan.pgbouncer.prepare(), stage="pooler")

    async def _broker(self, plan: Layout, remembered: state.State, partitions: int) -> None:
        if plan.rabbitmq:
            epmd, node = await plan.rabbitmq.prepare()
            await self._serve(epmd, stage="epmd")
            await self._serve(node)
            await settling.settle_broker(self._place, plan, remembered)
        await declaring.declare(self._place, plan, remembered, partitions, self._settings)

    async def _cache(self, plan: Layout) -> None:
        if plan.redis:
            await self._serve(await plan.redis.prepare())

    async def _serve(self, program: Program, stage: str = "servers") -> None:
        await self._stages.keep(stage, program).ready(_SERVER_PATIENCE)

    def _programs(self, plan: Layout, remembered: state.State, partitions: int) -> Programs:
        return Programs(
            plan.addresses, partitions, remembered.ports, self._doors, with_stand_in=self._wish.with_stand_in
        )

    def _recipes(self, programs: Programs) -> list[tuple[str, Callable[[], Program]]]:
        """Of all that is ours, by their stages. The stand-in remembers what was bought as long as it lives."""
        return [
            *(("workers", partial(programs.worker, number)) for number in range(self._wish.workers)),
            ("api", partial(programs.api, self._settings.port)),
            ("relay", programs.relay),
            ("clock", programs.clock),
            ("apps", programs.apps),
            ("usage", programs.usage),
            ("mail", partial(programs.mail, self._place.mails)),  # after the front, whose port its links have
            *([("payments", programs.payments)] if programs.hears_stripe() else []),
            *([(stand_in.NAME, programs.stripe)] if self._wish.with_stand_in else []),
        ]

    async def _processes(self, programs: Programs) -> None:
        children = [self._stages.start(stage, recipe) for stage, recipe in self._recipes(programs)]
        await asyncio.gather(*(child.ready(_PROCESS_PATIENCE) for child in children))

    def _watchers(self, remembered: state.State) -> dict[str, Alertmanager | Prometheus]:
        """Who is told first, then who tells."""
        broker = remembered.ports["prometheus"] if self._settings.amqp_url is None else None
        alerting = layout.alerting(remembered, self._settings)
        watching = layout.monitoring(
            remembered, targets.of(self._ours, broker), self._settings.monitoring_interval, alerting.address
        )
        return {alertmanager.NAME: alerting, prometheus.NAME: watching}

    @property
    def _ours(self) -> list[Program]:
        return [child.program for stage in OURS for child in self._stages[stage]]

    def _public(self, addresses: Addresses) -> dict[str, str]:
        api = next((program.url or "" for program in self._ours if program.name == "api"), "")
        watching, alerting = (
            next((child.program.url or "" for child in self._stages[stage]), "")
            for stage in (prometheus.NAME, alertmanager.NAME)
        )
        return addresses.public(api, [f"{program.url}/metrics" for program in self._ours], watching, alerting)


async def _side_by_side(*works: Coroutine[Any, Any, None]) -> None:
    """Where one fails the others are broken off first: none may start what nobody would stop any more."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
