"""The order in which an instance comes up, and goes down."""

import asyncio
import logging
import os
import shutil
from dataclasses import dataclass
from functools import partial

import msgspec

from contracts.topology import PARTITIONS_DEFAULT
from ops import (
    broker_logins,
    envfile,
    given,
    layout,
    roles,
    rotation,
    schema,
    stand_in,
    state,
    status,
    taken,
    topology,
    urls,
)
from ops.addresses import DATABASE, Addresses
from ops.child import Child
from ops.doors import Doors
from ops.errors import LauncherError
from ops.layout import Layout, Pooling
from ops.management import Management
from ops.monitoring import targets
from ops.place import Place
from ops.program import Program
from ops.programs import Programs
from ops.rotation import Rotation
from ops.servers import prometheus
from ops.settings import Settings
from ops.status import Board

# Below this RabbitMQ would soon block every publisher (its own limit is 1 GiB).
_MIB = 1024 * 1024
_DISK_NEEDED = 1536 * _MIB
# In the order in which they go down. Payments after the front, which may have queued an event as its last act, and
# before the ledger's workers: what it still sends is carried out, and it can see that. Who counts uses comes
# behind those whose events are counted.
OURS = ("api", "relay", "clock", "mail", "apps", "payments", "workers", "usage")
# The number of a wish that could not be read: nobody's.
UNREAD = ""
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
        self._doors = Doors(os.environ.get("MANA_BIND_HOST") or "127.0.0.1")
        # Taken down stage by stage, what is inside one at the same time: nobody loses what it still needs.
        self._stages: dict[str, list[Child]] = {
            name: [] for name in (*OURS, stand_in.NAME, prometheus.NAME, "pooler", "servers", "epmd")
        }

    async def run(self) -> None:
        """Everything up and ready, and told in `env`. Raises LauncherError with the reason why not."""
        self._board.step("laying out")
        remembered = self._remember()
        plan = await given.reached(self._lay_out(remembered))
        state.save(self._place.state, remembered)
        self._board.step("starting the servers")
        partitions = await self._partitions(plan, remembered)
        await asyncio.gather(
            self._database(plan, partitions), self._broker(plan, remembered, partitions), self._cache(plan)
        )
        remembered.partitions = partitions
        programs = Programs(
            plan.addresses, partitions, remembered.ports, self._doors, with_stand_in=self._wish.with_stand_in
        )
        if self._wish.processes:
            self._board.step("starting the front and the workers")
            await self._processes(programs)
        if self._wish.monitored:
            self._board.step("starting Prometheus")
            await self._monitor(remembered)
        state.save(self._place.state, remembered)
        envfile.write(self._place.env, self._public(plan.addresses))
        self._changing = self._rotation(plan, remembered, programs)
        self._board.step("ready")
        self._board.phase("ready")

    async def rotate(self, wish: rotation.Wish) -> None:
        """Change passwords of a running instance; what became of it stands in the status."""
        told = self._board.status.rotation = status.Rotation(wish.number)
        self._board.step("changing passwords")
        try:
            await self._changing.run(wish.parts)
        except LauncherError as refusal:
            log.error("passwords were not all changed: %s", refusal)  # noqa: TRY400 - the sentence says it all
            told.failure = str(refusal)
        except Exception as error:  # a fault of ours: told like the others, and no reason to take everything down
            log.exception("changing passwords failed")
            told.failure = f"a fault of the launcher's own ({error!r}): see {self._place.logs}/supervisor.log"
        told.ended = True
        self._board.step("ready")

    def refuse_rotation(self, failure: str) -> None:
        """Tell whoever asked for new passwords that none are made."""
        log.warning("asked to change passwords: %s", failure)
        self._board.status.rotation = status.Rotation(UNREAD, ended=True, failure=failure)
        self._board.publish()

    def _rotation(self, plan: Layout, remembered: state.State, programs: Programs) -> Rotation:
        def save(addresses: Addresses) -> None:
            state.save(self._place.state, remembered)
            envfile.write(self._place.env, self._public(addresses))

        return Rotation(plan, remembered, programs, self._stages, save)

    async def drain(self) -> None:
        """Stop what was started, in order; never raises for a process that was gone already."""
        self._doors.close("api")  # who asks from now on is to be refused, not to wait for nobody
        for children in self._stages.values():
            await asyncio.gather(*(child.stop() for child in children))

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
            known = await topology.partitions_of(_management(plan), urls.vhost_of(plan.addresses.amqp))
        return known or PARTITIONS_DEFAULT

    async def _database(self, plan: Layout, partitions: int) -> None:
        if plan.postgres:
            await self._serve(await plan.postgres.prepare())
        addresses = plan.addresses
        await roles.establish(
            addresses.database, addresses.database_name, addresses.secrets.roles, take_over=self._owns(plan.postgres)
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
        passwords = {login.name: remembered.secrets.login(login.name) for login in broker_logins.OUR_LOGINS}
        state.save(self._place.state, remembered)
        async with _management(plan) as broker:
            if self._settings.mana_single_broker_node:
                await topology.refuse_several_nodes(broker)
            if not self._owns(plan.rabbitmq):
                await broker_logins.refuse_others(broker, passwords)
            vhost = urls.vhost_of(plan.addresses.amqp)
            await topology.declare(broker, vhost, partitions, passwords, self._settings.bounds)
            if self._place.definitions.exists():
                await broker.post("definitions", body=msgspec.json.decode(self._place.definitions.read_bytes()))
                self._place.definitions.unlink()

    def _owns(self, server: object) -> bool:
        """Whether roles and logins are ours to change: on a private server, or where that was asked for."""
        return server is not None or taken.may_take_over()

    async def _cache(self, plan: Layout) -> None:
        if plan.redis:
            await self._serve(await plan.redis.prepare())

    async def _serve(self, program: Program, stage: str = "servers") -> None:
        child = self._start(stage, program)
        await child.ready(_SERVER_PATIENCE)

    def _start(self, stage: str, program: Program) -> Child:
        child = Child(lambda: program, self._place.logs, self._board)
        self._stages[stage].append(child)
        return child

    async def _processes(self, programs: Programs) -> None:
        recipes = [
            *(("workers", partial(programs.worker, number)) for number in range(self._wish.workers)),
            ("api", partial(programs.api, self._settings.port)),
            ("relay", programs.relay),
            ("clock", programs.clock),
            ("apps", programs.apps),
            ("usage", programs.usage),
            ("mail", partial(programs.mail, self._place.mails)),  # after the front, whose port its links have
            *([("payments", programs.payments)] if programs.hears_stripe() else []),
        ]
        if self._wish.with_stand_in:
            recipes.append((stand_in.NAME, programs.stripe))
        children: list[Child] = []
        for stage, recipe in recipes:
            child = Child(recipe, self._place.logs, self._board)
            self._stages[stage].append(child)
            children.append(child)
        await asyncio.gather(*(child.ready(_PROCESS_PATIENCE) for child in children))

    async def _monitor(self, remembered: state.State) -> None:
        broker = remembered.ports["prometheus"] if self._settings.amqp_url is None else None
        watching = layout.monitoring(remembered, targets.of(self._ours, broker), self._settings.monitoring_interval)
        await self._serve(await watching.prepare(), stage=prometheus.NAME)

    @property
    def _ours(self) -> list[Program]:
        return [child.program for stage in OURS for child in self._stages[stage]]

    def _public(self, addresses: Addresses) -> dict[str, str]:
        api = next((program.url or "" for program in self._ours if program.name == "api"), "")
        watching = next((child.program.url or "" for child in self._stages[prometheus.NAME]), "")
        return addresses.public(api, [f"{program.url}/metrics" for program in self._ours], watching)


def _management(plan: Layout) -> Management:
    return Management.of(plan.addresses.management, plan.addresses.amqp)
