"""Our own processes: which environment each is started with, and no more of it than it needs."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts import handed_sockets
from contracts.topology import (
    FRONT_LOGIN,
    MAIL_LOGIN,
    PAYMENTS_LOGIN,
    REDRIVE_LOGIN,
    RELAY_LOGIN,
    USAGE_LOGIN,
    WORKER_LOGIN,
)
from ops import ports, probes, stand_in
from ops.addresses import Addresses
from ops.doors import Door, Doors
from ops.identity import Identity
from ops.place import CHECKOUT
from ops.program import Program
from ops.state import DatabaseRole

# Secrets and addresses of the surroundings. Each process gets its own ones back, never an administrator's.
_GUARDED = (
    "DATABASE_URL",
    "DATABASE_DIRECT_URL",
    "AMQP_URL",
    "REDIS_",
    "RABBITMQ_",
    "PORT",
    "METRICS_PORT",
    handed_sockets.SETTING,
    "JWT_",
    "STRIPE_",
    "SMTP_",
    "MAIL_",
    "MANA_HOME",
    "MANA_TAKE_OVER",
    "MANA_SECRET",
    "MANA_API_URL",
    "MANA_AMQP_URL",
    "MANA_DATABASE_",
    "MANA_RABBITMQ_",
    "MANA_REDIS_URL",
    "MANA_METRICS_URLS",
    "MANA_PROMETHEUS_URL",
    "MANA_ALERTMANAGER_URL",
    "ALERTS_",
    "PG",
)
FRONTS_OWN = ("JWT_", "STRIPE_", "REDIS_WAIT_MS")
MAILS_OWN = ("SMTP_", "MAIL_")
_READY = "/health/ready"
PAYMENTS_OWN = ("STRIPE_SECRET_KEY", "STRIPE_API_URL", "STRIPE_RECONCILE_EVERY")
_IN_DEVELOPMENT = {
    "RATE_LIMIT_REGISTER": "100000/1h",
    "RATE_LIMIT_REFRESH": "100000/1m",
    "RATE_LIMIT_MAIL": "100000/1h",
    "RATE_LIMIT_LINK": "100000/15m",
}
"""A developer's address is that of all users: limits of one address that nobody set leave it to RATE_LIMIT_MAX, and to
what guards passwords and mailboxes."""


def surroundings(*kept: str) -> dict[str, str]:
    """The environment that we were started in, without what is guarded; names that begin like `kept` stay."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_GUARDED) or name.startswith(kept)}


def reachable_host(bound: str | None) -> str:
    """Where a process that listens on `bound` answers from here, as a URL writes it."""
    if bound in (None, "", "0.0.0.0", "::"):  # noqa: S104 - compared with, not listened on
        return "127.0.0.1"
    return f"[{bound}]" if ":" in bound else bound


def python(module: str) -> list[str]:
    """How one of our modules is run: with the checkout in the path (PYTHONPATH), not the current folder."""
    return [sys.executable, "-P", "-m", module]


def run_environment(extra: Mapping[str, str], *kept: str) -> dict[str, str]:
    """The whole environment of one of our processes; `kept` as for `surroundings`."""
    return {**surroundings(*kept), "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1", **extra}


@dataclass(frozen=True)
class ProcessSettings:
    """What each kind of process is told by us; its ports are added where it is started."""

    addresses: Addresses
    partitions: int

    def worker(self) -> dict[str, str]:
        """A ledger worker's, and the clock's. Whether a given broker is one node is for its owner to say."""
        only_node = {"MANA_SINGLE_BROKER_NODE": "true"} if self.addresses.own_broker else {}
        return {
            **only_node,
            "DATABASE_URL": self.addresses.database_as("mana_worker"),
            "AMQP_URL": self.addresses.amqp_as(WORKER_LOGIN),
            "MANA_PARTITIONS": str(self.partitions),
            **self._logins(),
        }

    def relay(self) -> dict[str, str]:
        """The relay's."""
        return {
            "DATABASE_URL": self.addresses.database_as("mana_relay"),
            "AMQP_URL": self.addresses.amqp_as(RELAY_LOGIN),
        }

    def api(self) -> dict[str, str]:
        """The front's: through the pooler where there is one, and past it for what is announced."""
        direct = self.addresses.database_as("mana_api")
        pooled = self.addresses.pooled_as("mana_api")
        past_it = {"DATABASE_DIRECT_URL": direct, "DATABASE_STATEMENT_CACHE": "0"} if pooled else {}
        return {
            "DATABASE_URL": pooled or direct,
            **past_it,
            "AMQP_URL": self.addresses.amqp_as(FRONT_LOGIN),
            "REDIS_URL": self.addresses.redis,
            "MANA_SECRET_KEY": os.environ.get("MANA_SECRET_KEY") or self.addresses.secrets.front_key,
        }

    def mail(self) -> dict[str, str]:
        """The mail worker's."""
        return {
            "DATABASE_URL": self.addresses.database_as("mana_mail"),
            "AMQP_URL": self.addresses.amqp_as(MAIL_LOGIN),
        }

    def payments(self) -> dict[str, str]:
        """The payments worker's."""
        return {
            "DATABASE_URL": self.addresses.database_as("mana_payments"),
            "AMQP_URL": self.addresses.amqp_as(PAYMENTS_LOGIN),
        }

    def usage(self) -> dict[str, str]:
        """That of the worker which counts usages."""
        return {
            "DATABASE_URL": self.addresses.database_as("mana_usage"),
            "AMQP_URL": self.addresses.amqp_as(USAGE_LOGIN),
        }

    def apps(self) -> dict[str, str]:
        """Of the worker that makes apps' logins: the one process of ours that is an administrator at the broker."""
        return {
            "DATABASE_URL": self.addresses.database_as("mana_apps"),
            "AMQP_URL": self.addresses.amqp,
            "RABBITMQ_MANAGEMENT_URL": self.addresses.management,
        }

    def operator(self, role: DatabaseRole) -> dict[str, str]:
        """A program of an operator's (`api.operators`): the front's settings, but the database as that role, and the
        administrator's login at the broker."""
        return {
            **self.api(),
            "DATABASE_URL": self.addresses.database_as(role),
            "MANA_AMQP_URL": self.addresses.amqp,
        }

    def dead_letters(self) -> dict[str, str]:
        """Of an operator's program that looks through dead letters, and sends them again."""
        return {
            "DATABASE_URL": self.addresses.database_as("mana_owner"),
            "AMQP_URL": self.addresses.amqp_as(REDRIVE_LOGIN),
            **self._logins(),
        }

    def _logins(self) -> dict[str, str]:
        """Which logins are not apps'."""
        return {
            "MANA_ADMIN_LOGINS": self.addresses.administrator,
            "MANA_FRONT_LOGINS": f"{FRONT_LOGIN},{RELAY_LOGIN}",
            "MANA_SYSTEM_LOGINS": WORKER_LOGIN,
            "MANA_PAYMENTS_LOGINS": PAYMENTS_LOGIN,
        }


class Programs:
    """Makes the programs of one instance."""

    def __init__(
        self,
        addresses: Addresses,
        partitions: int,
        taken: dict[str, int],
        doors: Doors | None = None,
        *,
        with_stand_in: bool = False,
    ) -> None:
        """`taken`: the ports of before, and then those of now. `with_stand_in`: what is bought is bought there."""
        self._settings = ProcessSettings(addresses, partitions)
        self._secrets = addresses.secrets
        self._with_stand_in = with_stand_in
        self._ports = taken
        self._doors = doors

    def tell(self, addresses: Addresses) -> None:
        """Programs are made with these from now on."""
        self._settings = ProcessSettings(addresses, self._settings.partitions)

    def worker(self, number: int) -> Program:
        """Ledger worker `number`."""
        return self._behind_metrics(f"worker-{number}", "workers", self._settings.worker())

    def clock(self) -> Program:
        """The clock worker: wakes idle users."""
        return self._behind_metrics("clock", "workers.clock", self._settings.worker())

    def relay(self) -> Program:
        """Sends what the front's outbox holds."""
        return self._behind_metrics("relay", "api.relay", self._settings.relay())

    def api(self, preferred: int) -> Program:
        """The HTTP front, on the first free port from `preferred` upwards."""
        door = self._door("api", ports.upwards(preferred))
        own = {**self._settings.api(), "PORT": str(door.port), **self._front_door(), **self._told_of_stripe()}
        if own["MANA_ENVIRONMENT"] == "development":
            own |= {name: os.environ.get(name) or limit for name, limit in _IN_DEVELOPMENT.items()}
        return self._program("api", "api", run_environment(own, *FRONTS_OWN), door)

    def mail(self, folder: Path) -> Program:
        """Sends the mails that wait, or writes them to `folder` where no server was named for them.

        Made after the front, whose address their links have.
        """
        own = {**self._settings.mail(), **self._front_door()}
        if not (os.environ.get("SMTP_URL") or os.environ.get("MAIL_FOLDER")):
            own["MAIL_FOLDER"] = str(folder)
        return self._behind_metrics("mail", "workers.mail", own, *MAILS_OWN)

    def stripe(self) -> Program:
        """The stand-in for Stripe, on the loopback interface alone: whoever reaches it can make payments succeed.

        Made after the front, which its events go to.
        """
        door = self._stand_in_door()
        url = f"http://{ports.LOOPBACK}:{door.port}"
        argv = [*python("ops.fakes.stripe"), "--port", str(door.port), "--key", self._secrets.stripe_key]
        argv += ["--endpoint", f"{self._front_url()}/api/v1/webhooks/stripe"]
        argv += ["--endpoint-secret", self._secrets.stripe_webhook_secret]
        argv += [word for one in door.descriptors for word in ("--listening", str(one))]
        return Program(
            name=stand_in.NAME,
            argv=argv,
            env=run_environment({}),
            cwd=CHECKOUT,
            probe=probes.http(f"{url}/_test/health"),
            url=url,
            identity=Identity(confined=True),
            descriptors=door.descriptors,
        )

    def _stand_in_door(self) -> Door:
        return self._door(stand_in.NAME, ports.anywhere(self._ports.get(stand_in.NAME)), loopback=True)

    def _told_of_stripe(self) -> dict[str, str]:
        """Who buys at the stand-in is told how; who does not knows what the surroundings say."""
        if not self._with_stand_in:
            return {}
        return {
            "STRIPE_SECRET_KEY": self._secrets.stripe_key,
            "STRIPE_WEBHOOK_SECRET": self._secrets.stripe_webhook_secret,
            "STRIPE_API_URL": f"http://{ports.LOOPBACK}:{self._stand_in_door().port}",
        }

    def _front_url(self) -> str:
        return f"http://{reachable_host(os.environ.get('MANA_BIND_HOST'))}:{self._ports['api']}"

    def payments(self) -> Program:
        """Keeps what Stripe tells, and tells the ledger. What is signed for Stripe's sake is not its business."""
        told = {name: value for name, value in self._told_of_stripe().items() if name in PAYMENTS_OWN}
        own = {**self._settings.payments(), **told}
        return self._behind_metrics("payments", "workers.payments", own, *PAYMENTS_OWN)

    def usage(self) -> Program:
        """Counts usages by the events."""
        return self._behind_metrics("usage", "workers.usage", self._settings.usage())

    def apps(self) -> Program:
        """Makes apps' logins at the broker."""
        return self._behind_metrics("apps", "workers.apps", self._settings.apps())

    def hears_stripe(self) -> bool:
        """Whether there is anything of Stripe's to hear: a key to buy with, or an endpoint that Stripe knows."""
        return self._with_stand_in or bool(stand_in.settings_given())

    def _front_door(self) -> dict[str, str]:
        """Where users reach the front, and whether they are real ones: what nobody said is said here.

        A process that is told nothing is in production; what the launcher starts is not.
        """
        return {
            "PUBLIC_URL": os.environ.get("PUBLIC_URL") or self._front_url(),
            "MANA_ENVIRONMENT": os.environ.get("MANA_ENVIRONMENT") or "development",
        }

    def _behind_metrics(self, name: str, module: str, environment: dict[str, str], *kept: str) -> Program:
        door = self._door(name, ports.anywhere(self._ports.get(name)))
        own = {"MANA_PROCESS_NAME": name, "METRICS_PORT": str(door.port)}
        return self._program(name, module, run_environment({**environment, **own}, *kept), door)

    def _door(self, name: str, candidates: Iterable[int], *, loopback: bool = False) -> Door:
        """The door of a process that is to listen at the first candidate that it can have."""
        others = {port for owner, port in self._ports.items() if owner != name}
        if self._doors is None:
            door = Door(ports.first_free(candidates, others), ())
        else:
            door = self._doors.open(name, candidates, others, loopback=loopback)
        self._ports[name] = door.port
        return door

    def _program(self, name: str, module: str, environment: dict[str, str], door: Door) -> Program:
        url = f"http://{reachable_host(os.environ.get('MANA_BIND_HOST'))}:{door.port}"
        if door.descriptors:
            environment[handed_sockets.SETTING] = ",".join(map(str, door.descriptors))
        return Program(
            name=name,
            argv=python(module),
            env=environment,
            cwd=CHECKOUT,
            probe=probes.http(f"{url}{_READY}"),
            url=url,
            ready_path=_READY if door.descriptors else None,
            identity=Identity(confined=True),
            descriptors=door.descriptors,
        )
