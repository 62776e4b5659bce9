"""A private RabbitMQ: its own epmd, every port on loopback, no guest."""

import os
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from ops import probes
from ops.errors import LauncherError
from ops.identity import Identity, give_file, own_folder
from ops.program import Probe, Program

ADMINISTRATOR = "mana-admin"
_PLUGINS = ("rabbitmq_consistent_hash_exchange", "rabbitmq_management", "rabbitmq_prometheus", "rabbitmq_stream")
_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_MIB = 1024 * 1024
FRAME_MAX = 16_384
"""The largest frame that the broker takes, in bytes."""


def scripts() -> Path | None:
    """The package's inner scripts, None where RabbitMQ is not installed.

    The wrappers in the PATH are no use here: they change the user by `su`, and so hide the server's process id.
    """
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1].parent if found else None


@dataclass(frozen=True)
class RabbitPorts:
    """All that a node listens on."""

    amqp: int
    management: int
    prometheus: int
    stream: int
    dist: int
    epmd: int


@dataclass(frozen=True)
class RabbitMQ:
    """One private node: its folder, ports, administrator's password and cookie. `former`: the password that it may
    still have."""

    folder: Path
    ports: RabbitPorts
    password: str
    cookie: str
    former: str | None = None

    @property
    def url(self) -> str:
        """Logs in as the administrator."""
        return self._url(self.password)

    @property
    def former_url(self) -> str | None:
        """The same with the password of before, None where there is none."""
        return None if self.former is None else self._url(self.former)

    @property
    def probe(self) -> Probe:
        """Whether it listens, and the administrator may log in."""
        passwords = [self.password] if self.former is None else [self.password, self.former]
        # With the login: another broker that listens there does not know it.
        asking = [probes.http(f"{self.management_url}/api/whoami", (ADMINISTRATOR, one)) for one in passwords]
        return probes.both(probes.tcp(self.ports.amqp), reduce(probes.either, asking))

    def _url(self, password: str) -> str:
        return f"amqp://{ADMINISTRATOR}:{password}@127.0.0.1:{self.ports.amqp}/"

    @property
    def management_url(self) -> str:
        """Without a login."""
        return f"http://127.0.0.1:{self.ports.management}"

    async def prepare(self) -> tuple[Program, Program]:
        """Write the configuration; say how to start epmd and then the node."""
        folder = _folder()
        identity = Identity.of_server("rabbitmq")
        own_folder(self.folder, identity)
        give_file(self.folder / "rabbitmq.conf", self._configuration(), identity)
        give_file(self.folder / "advanced.config", "[].\n", identity)
        give_file(self.folder / "enabled_plugins", f"[{','.join(_PLUGINS)}].\n", identity)
        self._give_cookie(identity)
        return self._epmd(identity), self._node(folder, identity)

    def control(self, *words: str) -> list[str]:
        """A command of rabbitmqctl's, to be run with :meth:`environment`: without it another node would be asked."""
        return self.tool("rabbitmqctl", *words)

    def tool(self, name: str, *words: str) -> list[str]:
        """A command of another of the package's tools, with the same environment."""
        return Identity.of_server("rabbitmq").command([str(_folder() / name), *words])

    def _give_cookie(self, identity: Identity) -> None:
        # Erlang insists on a cookie that its owner alone may read; it is also all that guards the dist port.
        give_file(self.folder / ".erlang.cookie", self.cookie, identity)
        (self.folder / ".erlang.cookie").chmod(0o400)

    def _epmd(self, identity: Identity) -> Program:
        """Started by us: the one that RabbitMQ starts by itself outlives it."""
        return Program(
            name="epmd",
            argv=["epmd", "-address", "127.0.0.1", "-port", str(self.ports.epmd)],
            env={"PATH": _PATH, "HOME": str(self.folder)},
            cwd=self.folder,
            probe=probes.epmd(self.ports.epmd),
            identity=identity,
        )

    def _node(self, folder: Path, identity: Identity) -> Program:
        return Program(
            name="rabbitmq",
            argv=[str(folder / "rabbitmq-server")],
            env=self.environment(),
            cwd=self.folder,
            probe=self.probe,
            url=f"amqp://127.0.0.1:{self.ports.amqp}",
            identity=identity,
            stop_seconds=30.0,
        )

    def environment(self) -> dict[str, str]:
        """What the node, and whoever speaks to it, is started with: its name, its files, its ports."""
        folder = self.folder
        return {
            "PATH": _PATH,
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            # "localhost" needs no name service. Nodes side by side are told apart by their epmd.
            "RABBITMQ_NODENAME": "mana@localhost",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_DIST_PORT": str(self.ports.dist),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_CRASH_DUMP_BYTES": str(16 * _MIB),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self.ports.epmd),
            # Makes the script exec the Erlang machine instead of guarding it: the process id is the server's.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _configuration(self) -> str:
        settings = {
            "listeners.tcp.1": f"127.0.0.1:{self.ports.amqp}",
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": self.ports.management,
            "prometheus.tcp.ip": "127.0.0.1",
            "prometheus.tcp.port": self.ports.prometheus,
            "stream.listeners.tcp.1": f"127.0.0.1:{self.ports.stream}",
            "stream.advertised_host": "127.0.0.1",
            "stream.advertised_port": self.ports.stream,
            # The first boot makes this user in place of guest.
            "default_user": ADMINISTRATOR,
            "default_pass": self.password,
            "default_user_tags.administrator": "true",
            "log.console": "true",
            "log.console.level": "info",
            "log.console.use_colors": "off",
            "log.file": "false",
            "max_message_size": _MIB,
            # A message's headers come in one frame, and no queue's limit in bytes counts them.
            "frame_max": FRAME_MAX,
            # At its start the broker has this many processes bind queues again, and each user's queue is by the order
            # that comes of it (docs/decisions/0014-bound-by-name.md).
            "default_worker_pool_size": 1,
            # The defaults (40 % of memory, 50 MB of disk) misread machines that are shared.
            "vm_memory_high_watermark.absolute": _memory_watermark(),
            "disk_free_limit.absolute": 1024 * _MIB,
            # The log that quorum queues share is kept in memory until it is rolled over. Its default (512 MiB)
            # alone could raise the memory alarm, which blocks every publisher.
            "raft.wal_max_size_bytes": 64 * _MIB,
        }
        return "".join(f"{name} = {value}\n" for name, value in settings.items())


def _folder() -> Path:
    folder = scripts()
    if folder is None:
        raise LauncherError("RabbitMQ is not installed: install the package rabbitmq-server, then start again.")
    return folder


def _memory_watermark() -> int:
    """2 GiB, or 40 % of a smaller machine, in bytes."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(2048 * _MIB, total * 4 // 10)
