"""docker-compose.yml's services as processes of this machine: the same commands, configuration files and secrets.

What differs is where they are: a container's paths are files in a folder of the test's, services' names and ports are
addresses on the loopback interface.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from ops import ports, probes, settings, state
from ops.identity import Identity, give_file, own_folder
from ops.place import CHECKOUT
from ops.program import Program
from ops.programs import run_environment
from ops.servers import alertmanager, pgbouncer, postgres, prometheus, rabbitmq, redis
from ops.servers.rabbitmq import RabbitMQ, RabbitPorts
from ops.settings import Settings
from ops.setup import composed, secret_files
from ops.state import Secrets
from tests.composed import COMPOSED, OURS, SERVICES, environment_of, filled, mounted
from tests.integration.api.users import BASE
from tests.integration.running import served

SERVERS = {
    "postgres": ("postgres", 5432),
    "pgbouncer": ("postgres", 6432),
    "rabbitmq": ("rabbitmq", 5672),
    "redis": ("redis", 6379),
    "prometheus": ("prometheus", 9090),
    "alertmanager": ("prometheus", 9093),
}
"""The user that each runs as here, and its port there."""
MANAGEMENT = 15672
WAL = "/var/lib/postgresql/wal"
"""Where PostgreSQL archives its WAL there."""
_PATH = f"{Path(sys.executable).parent}:{postgres.binaries()}:{rabbitmq.scripts()}:/usr/bin:/bin:/usr/sbin"


@dataclass(frozen=True)
class Composed:
    """The services of one folder, which all users may pass through."""

    folder: Path
    partitions: int
    env: dict[str, str] = field(default_factory=dict[str, str])
    """What stands in .env."""
    named: dict[str, str] = field(default_factory=dict[str, str])
    """The servers' addresses, administrators' ones, by the names of settings, where others than docker-compose.yml's
    are named."""
    _servers: dict[str, Program] = field(default_factory=dict[str, Program])
    _ports: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])

    def __post_init__(self) -> None:
        """Makes the secrets, as ops/secrets.sh does."""
        self._make_secrets()

    def give_own(self, given: dict[str, str]) -> None:
        """Writes what others gave into own.json, and hands it to the processes that need it."""
        (self.folder / "secrets" / secret_files.OWN).write_text(json.dumps(given))
        self._make_secrets()

    def name(self, servers: dict[str, str]) -> None:
        """Has the set-up and all processes use the servers at these addresses, administrators' ones."""
        self.named.update(servers)
        self._make_secrets()

    def _make_secrets(self) -> None:
        chosen = settings.read(**{name.lower(): url for name, url in self.named.items()})
        secret_files.write(self.folder / "secrets", self.partitions, chosen)

    @property
    def secrets(self) -> Secrets:
        """All of them."""
        held = state.load(self.folder / "secrets" / "state.json")
        assert held is not None
        return held.secrets

    def port(self, service: str, there: int) -> int:
        """Where the service's port is here."""
        if (service, there) not in self._ports:
            self._ports[service, there] = ports.choose(None, self._ports.values())
        return self._ports[service, there]

    def local(self, text: str) -> str:
        """The same with this machine's addresses."""
        for name, (_, port) in SERVERS.items():
            text = text.replace(f"@{name}:{port}", f"@127.0.0.1:{self.port(name, port)}")
            text = text.replace(f"host={name} port={port}", f"host=127.0.0.1 port={self.port(name, port)}")
        return text.replace(f"http://rabbitmq:{MANAGEMENT}", f"http://127.0.0.1:{self.port('rabbitmq', MANAGEMENT)}")

    def administrators(self) -> dict[str, str]:
        """The servers' addresses for who is no part of the network, as the set-up here: administrators'."""
        if self.named:
            return self.named
        held = composed.servers(self.secrets, Settings.model_construct())
        addresses = {
            "DATABASE_URL": held.database_url,
            "AMQP_URL": held.amqp_url,
            "RABBITMQ_MANAGEMENT_URL": held.rabbitmq_management_url,
            "REDIS_URL": held.redis_url,
        }
        return {name: self.local(url or "") for name, url in addresses.items()}

    def placed(self, service: str, text: str, changes: dict[str, str] | None = None) -> str:
        """A text of the service's, with the files that it is given in place of the container's paths."""
        for there in self._given(service):
            text = text.replace(there, str(self._home(service) / Path(there).name))
        for pattern, value in (changes or {}).items():
            text, count = re.subn(pattern, value, text, flags=re.MULTILINE)
            assert count, f"{service} is not told {pattern}"
        return self.local(text)

    def give(self, service: str, changes: dict[str, dict[str, str]] | None = None) -> Path:
        """Lays out the files that the service is given, `changes` made in them by name; the folder they are in."""
        user = SERVERS[service][0] if service in SERVERS else None
        identity = Identity.of_server(user) if user else Identity()
        home = own_folder(self._home(service), identity)
        for there, source in self._given(service).items():
            text = self.placed(service, source.read_text(), (changes or {}).get(Path(there).name))
            give_file(home / Path(there).name, text, identity)
        return home

    def _home(self, service: str) -> Path:
        return self.folder / service

    def _given(self, service: str) -> dict[str, Path]:
        """The container's path of each file that it is given, and what lies there."""
        given: dict[str, Path] = {}
        for secret in SERVICES[service].get("secrets", []):
            source = secret if isinstance(secret, str) else secret["source"]
            target = f"/run/secrets/{secret}" if isinstance(secret, str) else secret["target"]
            given[target] = self.folder / COMPOSED["secrets"][source]["file"]
        for target, source in mounted(service, self.env).items():
            if source.startswith("./") and (CHECKOUT / source).is_file():
                given[target] = CHECKOUT / source
        return given

    @property
    def wal(self) -> Path:
        """What is at PostgreSQL's archive's place."""
        return self.folder / "wal"

    def options_of_postgres(self) -> list[str]:
        """Those of the service's command; the folder that it archives to is there."""
        own_folder(self.wal, Identity.of_server("postgres"))
        options = self._told("postgres", {WAL: str(self.wal)})[1:]
        return [word for option in options for word in ("-c", option.removeprefix("-c"))]

    async def postgres(self) -> Program:
        """With the options of the service's command, and the password that initdb is given there."""
        home = self.give("postgres")
        port = self.port("postgres", 5432)
        password = (home / "postgres_password").read_text()
        program = await postgres.Postgres(home, port, password).prepare()
        here = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories="]
        return replace(program, argv=[*program.argv[:3], *self.options_of_postgres(), *here])

    async def pgbouncer(self) -> Program:
        changes = {
            r"^listen_addr = \*": "listen_addr = 127.0.0.1",
            r"^listen_port = 6432": f"listen_port = {self.port('pgbouncer', 6432)}",
        }
        home = self.give("pgbouncer", {"pgbouncer.ini": changes})
        url = self.local(f"postgresql://mana_api:{self.secrets.roles['mana_api']}@pgbouncer:6432/mana")
        return self._program("pgbouncer", [str(pgbouncer.binary()), str(home / "pgbouncer.ini")], probes.pooler(url))

    async def redis(self) -> Program:
        own = {
            r"^port 6379": f"port {self.port('redis', 6379)}\nbind 127.0.0.1",
            r"^dir /data": f"dir {self._home('redis')}",
        }
        home = self.give("redis", {"redis.conf": own})
        url = self.local(f"redis://:{self.secrets.redis}@redis:6379/0")
        return self._program("redis", [str(redis.binary()), str(home / "redis.conf")], probes.redis_server(url))

    async def rabbitmq(self, more: str = "") -> tuple[Program, Program]:
        """epmd and the node; ``more`` is added to its configuration."""
        management, amqp = self.port("rabbitmq", MANAGEMENT), self.port("rabbitmq", 5672)
        free = {name: self.port("rabbitmq", number) for number, name in enumerate(("stream", "dist", "epmd"))}
        own = RabbitPorts(amqp=amqp, management=management, prometheus=self.port("rabbitmq", 15692), **free)
        home = self._home("rabbitmq")
        server = RabbitMQ(home, own, self.secrets.login("mana-admin"), self.secrets.erlang_cookie)
        epmd, node = await server.prepare()
        changes = {
            r"^listeners.tcp.default = 5672": "\n".join(
                [f"listeners.tcp.1 = 127.0.0.1:{amqp}", f"stream.listeners.tcp.1 = 127.0.0.1:{own.stream}"]
            ),
            r"^management.tcp.port = 15672": f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}",
            r"^prometheus.tcp.port = 15692": f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {own.prometheus}",
            r"= /etc/rabbitmq/definitions.d$": f"= {home}/definitions.d",
            r"\Z": more,
        }
        self.give("rabbitmq", {"rabbitmq.conf": changes})
        definitions = own_folder(home / "definitions.d", Identity.of_server("rabbitmq"))
        for name in ("10-topology.json", "20-logins.json"):
            (home / name).rename(definitions / name)
        there = {name: path for name, path in SERVICES["rabbitmq"]["environment"].items() if name.endswith("_FILE")}
        told = {name: self.placed("rabbitmq", path) for name, path in there.items()}
        self._servers["rabbitmq"] = replace(node, env={**node.env, **told})
        return epmd, self._servers["rabbitmq"]

    async def alertmanager(self) -> Program:
        """With the service's command, told as nobody to tell: no ALERTS_… is set."""
        home = self.give("alertmanager")
        data = own_folder(home / "data", Identity.of_server("prometheus"))
        port = self.port("alertmanager", 9093)
        told = self._told("alertmanager", {"--storage.path=/alertmanager": f"--storage.path={data}"})
        here = f"--web.listen-address=127.0.0.1:{port}"
        argv = [str(alertmanager.binary()), *told, here]
        return self._program("alertmanager", argv, probes.http(f"http://127.0.0.1:{port}/-/ready"))

    async def prometheus(self) -> Program:
        """With the service's command, and its configuration, which names the processes of this machine."""
        identity = Identity.of_server("prometheus")
        home = own_folder(self._home("prometheus"), identity)
        for folder in ("rules", "data"):
            own_folder(home / folder, identity)
        given = prometheus.FOLDER
        for file in (given / "prometheus.yml", *sorted((given / "rules").glob("*.yml"))):
            text = re.sub(r'(?<=")[\w-]+:\d+(?=")', self._here, file.read_text())
            give_file(home / file.relative_to(given), text, identity)
        port = self.port("prometheus", 9090)
        replaced = {"/etc/prometheus/": f"{home}/", "path=/prometheus": f"path={home}/data"}
        told = self._told("prometheus", replaced)
        argv = [str(prometheus.binary()), *told, f"--web.listen-address=127.0.0.1:{port}"]
        return self._program("prometheus", argv, probes.http(f"http://127.0.0.1:{port}/-/ready"))

    def _told(self, service: str, changes: dict[str, str]) -> list[str]:
        """The words of the service's command, each of ``changes`` made in one of them."""
        words = [self.placed(service, word) for word in SERVICES[service]["command"]]
        for there, here in changes.items():
            assert sum(there in word for word in words) == 1, f"{service} is not told {there}"
            words = [word.replace(there, here) for word in words]
        return words

    def _here(self, target: re.Match[str]) -> str:
        """The address of a target that the containers' Prometheus asks, SERVICE:PORT; who is not here keeps its own."""
        service, _, there = target[0].rpartition(":")
        service = service.replace("localhost", "prometheus")
        if service in OURS:
            told = environment_of(service, self.env)
            assert told.get("METRICS_PORT", told.get("PORT")) == there, f"{service} is asked at {there}"
        elif service not in SERVERS:
            return target[0]
        return f"127.0.0.1:{self.port(service, 0 if service in OURS else int(there))}"

    def ours(self, service: str) -> Program:
        """One of our own processes, by the service's command and environment, and its health check as the probe."""
        home = self.give(service)
        told = {name: self.placed(service, value) for name, value in environment_of(service, self.env).items()}
        command = [self.placed(service, filled(word, self.env)) for word in SERVICES[service]["command"]]
        port = self.port(service, 0)
        told |= {name: str(port) for name in ("PORT", "METRICS_PORT") if name in told}
        env = {**run_environment(told), "PATH": _PATH}
        return Program(
            name=service,
            argv=command,
            env=env,
            cwd=home,
            probe=lambda: self.is_healthy(service),
            url=f"http://127.0.0.1:{port}",
            stop_seconds=float(SERVICES[service]["stop_grace_period"].removesuffix("s")),
        )

    async def set_up(self) -> None:
        """The one-shot service, from docker-compose.yml's words; it must succeed, and may run again."""
        await self._once("setup", SERVICES["setup"]["command"])

    async def operated(self, *words: str, work: Path | None = None) -> str:
        """What `docker compose run --rm mana` says, with the folder that is mounted at the service's."""
        return await self._once("mana", [*SERVICES["mana"]["entrypoint"], *words], work)

    async def _once(self, service: str, command: list[str], work: Path | None = None) -> str:
        home = self.give(service)
        state_there = (home / "state").read_text()
        process = await asyncio.create_subprocess_exec(
            *(self.placed(service, filled(word, self.env)) for word in command),
            env={**run_environment(self.administrators()), "PATH": _PATH},
            cwd=work,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        assert (home / "state").read_text() == state_there, "what is read-only there is not written"
        return said.decode()

    async def start(self, stack: AsyncExitStack, services: Collection[str]) -> dict[str, Program]:
        """These of our own, side by side; returns once all are healthy."""
        programs = {name: self.ours(name) for name in sorted(services)}
        for program in programs.values():
            await stack.enter_async_context(served(program, wait=False))
        for program in programs.values():
            async with asyncio.timeout(90):
                while not await program.probe():
                    await asyncio.sleep(0.5)
        return programs

    async def is_healthy(self, service: str) -> bool:
        """What the service's own health check says."""
        kind, *words = SERVICES[service]["healthcheck"]["test"]
        words = [self.placed(service, filled(word, self.env)) for word in words]
        there = SERVERS[service][1] if service in SERVERS else int(words[-1])
        here = self.port(service, there if service in SERVERS else 0)
        words = [re.sub(rf"\b{there}\b", str(here), word) for word in words]
        words = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        # Inside its container, a check has what the server has.
        server = self._servers.get(service)
        check = await asyncio.create_subprocess_exec(
            *(server.identity.command(words) if server else words),
            env={**(server.env if server else run_environment({})), "PATH": _PATH},
            stdout=asyncio.subprocess.DEVNULL,
        )
        return await check.wait() == 0

    def _program(self, service: str, argv: list[str], probe: probes.Probe) -> Program:
        return Program(
            name=service,
            argv=argv,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            cwd=self._home(service),
            probe=probe,
            identity=Identity.of_server(SERVERS[service][0]),
            stop_signal=SERVICES[service].get("stop_signal", "SIGTERM").removeprefix("SIG"),
        )


async def spent_one(http: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    """What a user who has just registered is answered to a spend. The account is opened behind the registration: until
    then there is none."""
    body = {"amount": 1, "appId": "chat", "description": "composed"}
    async with asyncio.timeout(10):
        while (answer := await http.post(f"{BASE}/credits/use", json=body, headers=headers)).status_code == 404:
            await asyncio.sleep(0.1)
    assert answer.status_code == 200, answer.text
    return answer.json()
