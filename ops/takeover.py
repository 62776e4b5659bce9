"""What the version of before has left: it is taken over as it is, then replaced by this version, where it is ours."""

import logging
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from contracts.topology import PARTITIONS_DEFAULT
from ops import adopted, declaring, envfile, layout, rolling, settling, state, status
from ops.answering import Answering
from ops.errors import LauncherError, sentence
from ops.handover import Handover
from ops.layout import Layout
from ops.program import Program
from ops.roster import OURS, Roster
from ops.servers import alertmanager, prometheus
from ops.servers.alertmanager import Alertmanager
from ops.servers.prometheus import Prometheus

# Those that begin to understand something before those that begin to send it.
ROLLED = tuple(reversed(OURS))
_PATIENCE = 90.0

log = logging.getLogger(__name__)


class TakeOver:
    """Of one instance. `told`: the upgrade that was asked for, and what becomes of it."""

    def __init__(self, roster: Roster, answering: Answering, told: status.Asked) -> None:
        self._roster = roster
        self._answering = answering
        self._told = told
        self._new: list[tuple[str, Callable[[], Program]]] = []
        self._unknown: list[status.ProcessStatus] = []
        self._unwatched: list[str] = []

    async def take(self, left: Handover) -> bool:
        """All of it goes on as it is.

        Where that fails, it stands in `told`, which has ended then. All goes on nevertheless, what was not reached
        without anybody who starts it again, and the next upgrade finds it.
        """
        taken = await self._answering.succeeds(self._told, self._take(left))
        if not taken:
            self._answering.end(self._told)
        return taken

    async def roll(self) -> None:
        """Replace what was taken over by this version, where it is ours; what became of it stands in `told`."""
        await self._answering.answer(self._told, self._rolling())

    async def _take(self, left: Handover) -> None:
        roster = self._roster
        roster.doors.adopt(left.doors)
        remembered, told = state.load(roster.place.state), envfile.read(roster.place.env)
        if remembered is None or remembered.partitions is None or not told:
            raise LauncherError(f"{roster.place.state} or {roster.place.env} is missing: nothing can be taken over.")
        plan = layout.laid_out(remembered, roster.settings, roster.wish.database, pooling=roster.wish.pooling)
        management = told["MANA_RABBITMQ_MANAGEMENT_URL"]
        plan = replace(plan, addresses=replace(plan.addresses, management=management))
        adopted.end_strays(entry.process for entry in roster.board.status.processes)
        entries = {entry.name: entry for entry in roster.board.status.processes}
        for stage, program in await layout.programs(plan):
            roster.stages.keep(stage, program, entries.pop(program.name, None))
        programs = roster.programs(plan, remembered, remembered.partitions)
        for stage, recipe in roster.recipes(programs) if roster.wish.processes else ():
            if entry := entries.pop(recipe().name, None):
                roster.stages.start(stage, recipe, entry)
            else:
                self._new.append((stage, recipe))
        if roster.wish.monitored:
            if alertmanager.NAME not in remembered.ports:
                layout.choose_port(remembered, "alertmanager")
            await self._take_over_watchers(remembered, entries)
        self._unknown = list(entries.values())
        roster.can_rotate(plan, remembered, programs)
        self._rolling = partial(self._roll, plan, remembered)

    async def _roll(self, plan: Layout, remembered: state.State) -> None:
        roster = self._roster
        await settling.settle_database(roster.place, plan, remembered)
        await settling.settle_broker(roster.place, plan, remembered)
        roster.board.step("declaring the topology")
        partitions = remembered.partitions or PARTITIONS_DEFAULT
        await declaring.declare(roster.place, plan, remembered, partitions, roster.settings)
        for child in (*roster.stages["pooler"], *roster.stages[alertmanager.NAME], *roster.stages[prometheus.NAME]):
            child.renew(child.program, signal.SIGHUP)
        await rolling.roll(ROLLED, roster.stages, self._new, _PATIENCE, roster.board.step)
        for entry in self._unknown:
            log.warning("%s is not known to this version: ending it", entry.name)
            if entry.process:
                entry.process.terminate()
            roster.board.remove(entry)
        roster.tell(plan.addresses)
        await self._watch_the_new(remembered)
        roster.board.status.mixed = bool(self._unwatched)
        if self._unwatched:
            raise LauncherError(f"Every process of ours is new, but is not watched: {' '.join(self._unwatched)}")

    async def _watch_the_new(self, remembered: state.State) -> None:
        """Kinds of process that the version of before did not have, or at other addresses."""
        for child in self._roster.stages[prometheus.NAME]:
            watcher = self._roster.watchers(remembered)[prometheus.NAME]
            if program := await self._prepared(prometheus.NAME, watcher):
                child.renew(program, signal.SIGHUP)

    async def _take_over_watchers(self, remembered: state.State, entries: dict[str, status.ProcessStatus]) -> None:
        for name, watcher in self._roster.watchers(remembered).items():
            entry, program = entries.pop(name, None), await self._prepared(name, watcher)
            if entry is None:
                log.warning("the version of before had no %s: the next start brings it", name)
            elif program:
                self._roster.stages.keep(name, program, entry)

    async def _prepared(self, name: str, watcher: Alertmanager | Prometheus) -> Program | None:
        """None where that fails, which is told at the end: what is watched serves without."""
        try:
            return await watcher.prepare()
        except (LauncherError, OSError) as error:
            why = sentence(error) if isinstance(error, OSError) else str(error)
            log.error("%s is not watching: %s", name, why)  # noqa: TRY400 - the sentence says it all
            self._unwatched.append(why)
            return None
