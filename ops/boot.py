"""The order in which an instance comes up, and goes down."""

import asyncio
import logging
import shutil
from collections.abc import Coroutine
from typing import Any

from contracts.topology import PARTITIONS_DEFAULT
from ops import declaring, given, layout, orphans, roles, schema, settling, state, topology, urls
from ops.errors import LauncherError
from ops.layout import Layout
from ops.program import Program
from ops.programs import Programs
from ops.roster import Roster

# Below this RabbitMQ would soon block every publisher (its own limit is 1 GiB).
_MIB = 1024 * 1024
_DISK_NEEDED = 1536 * _MIB
_SERVER_PATIENCE = 120.0
_PROCESS_PATIENCE = 90.0

log = logging.getLogger(__name__)


class Boot:
    """Brings one instance up, and down again from wherever it got to."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._place = roster.place
        self._wish = roster.wish
        self._settings = roster.settings
        self._board = roster.board
        self._stages = roster.stages

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
        programs = self._roster.programs(plan, remembered, partitions)
        if self._wish.processes:
            self._board.step("starting the front and the workers")
            await self._processes(programs)
        if self._wish.monitored:
            self._board.step("starting Prometheus and Alertmanager")
            layout.choose_port(remembered, "monitoring")
            layout.choose_port(remembered, "alertmanager")
            for watcher in self._roster.watchers(remembered).values():
                program = await watcher.prepare()
                await self._serve(program, stage=program.name)
        state.save(self._place.state, remembered)
        self._roster.tell(plan.addresses)
        self._roster.can_rotate(plan, remembered, programs)
        self._board.step("ready")
        self._board.phase("ready")

    async def drain(self) -> None:
        """Stop what was started, in order; never raises for a process that was gone already."""
        self._roster.doors.close("api")  # who asks from now on is to be refused, not to wait for nobody
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

    async def _processes(self, programs: Programs) -> None:
        children = [self._stages.start(stage, recipe) for stage, recipe in self._roster.recipes(programs)]
        await asyncio.gather(*(child.ready(_PROCESS_PATIENCE) for child in children))


async def _side_by_side(*works: Coroutine[Any, Any, None]) -> None:
    """Where one fails the others are broken off first: none may start what nobody would stop any more."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
