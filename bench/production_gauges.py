"""Memory, files and connections of an instance's processes, looked at again and again."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg
import httpx

from ops.errors import LauncherError
from ops.instance import Instance
from ops.management import Management

EVERY_SECONDS: Final = 3.0
_KIB: Final = 1024
_MEGABYTE: Final = 1_000_000
_LISTENING: Final = "0A"
_SESSIONS: Final = "SELECT sum(numbackends)::int FROM pg_stat_database"


@dataclass(frozen=True)
class Look:
    """One look: megabytes (10^6 bytes) of a process's own memory, and its open files but for its clients' connections,
    by name; connections by server.

    A server counts with all that it forked. Memory is what is mapped to no file and shared with nobody (proc(5),
    RssAnon): pages of programs and of PostgreSQL's buffers are not what leaks.
    """

    megabytes: dict[str, float]
    files: dict[str, float]
    connections: dict[str, float]


class Gauges:
    """All looks of a run, by stretches of it."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._looks: dict[str, list[Look]] = defaultdict(list)

    async def watch(self, stretch: str, seconds: float) -> None:
        """Looks for so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    self._looks[stretch].append(await self._look())
                    await asyncio.sleep(EVERY_SECONDS)

    def usual(self, stretch: str) -> Look:
        """The medians of a stretch."""
        looks = self._looks[stretch]
        return Look(
            _medians(look.megabytes for look in looks),
            _medians(look.files for look in looks),
            _medians(look.connections for look in looks),
        )

    async def _look(self) -> Look:
        megabytes, files = dict[str, float](), dict[str, float]()
        for one in self._instance.status.processes:
            if one.pid is not None:
                tree = list(_tree(one.pid))
                megabytes[one.name] = sum(map(_own_megabytes, tree))
                files[one.name] = sum(map(open_files, tree))
        return Look(megabytes, files, {**await self._sessions(), **await self._broker()})

    async def _sessions(self) -> dict[str, float]:
        """Nothing while the server is away."""
        try:
            database = await asyncpg.connect(self._instance.env["MANA_DATABASE_OWNER_URL"], timeout=2)
            try:
                return {"PostgreSQL": await database.fetchval(_SESSIONS) - 1}
            finally:
                await database.close()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return {}

    async def _broker(self) -> dict[str, float]:
        """Nothing while the server is away."""
        env = self._instance.env
        try:
            async with Management.of(env["MANA_RABBITMQ_MANAGEMENT_URL"], env["MANA_AMQP_URL"]) as broker:
                totals = (await broker.get("overview"))["object_totals"]
        except (LauncherError, httpx.HTTPError):
            return {}
        return {"RabbitMQ": totals["connections"], "RabbitMQ, channels": totals["channels"]}


def _medians(looks: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for look in looks:
        for name, figure in look.items():
            found[name].append(figure)
    return {name: round(median(figures), 1) for name, figures in found.items()}


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            yield from _tree(int(child))


def _own_megabytes(pid: int) -> float:
    """Nothing of one that has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * _KIB / _MEGABYTE
    return 0.0


def open_files(pid: int) -> int:
    """Without the connections that it was asked for: how many those are is for its clients to say."""
    with suppress(OSError):
        files = list(_targets(pid))
        sockets = list(_sockets(pid))
        ports = {port for port, state, name in sockets if state == _LISTENING and name in files}
        clients = {name for port, state, name in sockets if state != _LISTENING and port in ports}
        return sum(name not in clients for name in files)
    return 0


def _targets(pid: int) -> Iterator[str]:
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            yield str(file.readlink())


def _sockets(pid: int) -> Iterator[tuple[str, str, str]]:
    """Local port, state and name of each TCP socket that the process sees, others' too (proc(5), net/tcp)."""
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{family}").read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, *others = line.split()
            yield local.rpartition(":")[2], state, f"socket:[{others[5]}]"
