"""Who belongs to an instance: processes of ours, those who watch them, and what is told of all outside."""

import os
from collections.abc import Callable
from functools import partial

from ops import envfile, layout, stand_in, state
from ops.addresses import Addresses
from ops.doors import Doors
from ops.layout import Layout
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
from ops.wish import Wish

# In the order in which they go down. Payments after the front, which may have queued an event as its last act, and
# before the ledger's workers: what it still sends is carried out, and it can see that. Who counts uses comes
# behind those whose events are counted.
OURS = ("api", "relay", "clock", "mail", "apps", "payments", "workers", "usage")


class Roster:
    """Of one instance, as it is wished for.

    `doors`: where our processes listen. `stages`: all that runs. `rotation`: what changes its passwords, None until all
    of it runs.
    """

    def __init__(self, place: Place, wish: Wish, settings: Settings, board: Board) -> None:
        self.place = place
        self.wish = wish
        self.settings = settings
        self.board = board
        board.status.stripe_settings = stand_in.settings_given()
        self.doors = Doors(os.environ.get("MANA_BIND_HOST") or "127.0.0.1")
        names = (*OURS, stand_in.NAME, prometheus.NAME, alertmanager.NAME, "pooler", "servers", "epmd")
        self.stages = Stages(names, place.logs, board)
        self.rotation: Rotation | None = None

    def programs(self, plan: Layout, remembered: state.State, partitions: int) -> Programs:
        """How to start ours, at these servers."""
        return Programs(plan.addresses, partitions, remembered.ports, self.doors, with_stand_in=self.wish.with_stand_in)

    def recipes(self, programs: Programs) -> list[tuple[str, Callable[[], Program]]]:
        """Of all that is ours, by their stages. The stand-in remembers what was bought as long as it lives."""
        return [
            *(("workers", partial(programs.worker, number)) for number in range(self.wish.workers)),
            ("api", partial(programs.api, self.settings.port)),
            ("relay", programs.relay),
            ("clock", programs.clock),
            ("apps", programs.apps),
            ("usage", programs.usage),
            ("mail", partial(programs.mail, self.place.mails)),  # after the front, whose port its links have
            *([("payments", programs.payments)] if programs.hears_stripe() else []),
            *([(stand_in.NAME, programs.stripe)] if self.wish.with_stand_in else []),
        ]

    def watchers(self, remembered: state.State) -> dict[str, Alertmanager | Prometheus]:
        """Who is told first, then who tells."""
        broker = remembered.ports["prometheus"] if self.settings.amqp_url is None else None
        alerting = layout.alerting(remembered, self.settings)
        watching = layout.monitoring(
            remembered, targets.of(self._ours, broker), self.settings.monitoring_interval, alerting.address
        )
        return {alertmanager.NAME: alerting, prometheus.NAME: watching}

    def tell(self, addresses: Addresses) -> None:
        """Write into the place's `env` where all of it is, and what logs in there."""
        envfile.write(self.place.env, self._public(addresses))

    def can_rotate(self, plan: Layout, remembered: state.State, programs: Programs) -> None:
        """From now on its passwords can be changed."""

        def save(addresses: Addresses) -> None:
            state.save(self.place.state, remembered)
            self.tell(addresses)

        self.rotation = Rotation(plan, remembered, programs, self.stages, save)

    def _public(self, addresses: Addresses) -> dict[str, str]:
        api = next((program.url or "" for program in self._ours if program.name == "api"), "")
        watching, alerting = (
            next((child.program.url or "" for child in self.stages[stage]), "")
            for stage in (prometheus.NAME, alertmanager.NAME)
        )
        return addresses.public(api, [f"{program.url}/metrics" for program in self._ours], watching, alerting)

    @property
    def _ours(self) -> list[Program]:
        return [child.program for stage in OURS for child in self.stages[stage]]
