"""What is done to a running instance, one thing at a time, and how long it takes to be whole again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from bench.errors import BenchError
from ops.instance import Instance
from ops.kernel import ProcessId
from ops.management import Management
from tests.faults.tools.telling import until

_PAUSED_SECONDS: Final = 20.0
_WHOLE_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Done:
    """A fault, and the seconds until each process was ready again."""

    name: str
    whole_after: float


class Faults:
    """They take turns: ``next`` does one, and returns when all is whole again."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.done: list[Done] = []
        self._turn = 0
        self._acts: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            ("a worker is killed", self._killing("worker-0")),
            ("the front is killed", self._killing("api")),
            ("RabbitMQ is killed", self._killing("rabbitmq")),
            ("the relay is killed", self._killing("relay")),
            ("PostgreSQL is killed", self._killing("postgres")),
            ("a worker is stopped for 20 s, and goes on", self._pause_worker),
            ("Redis is killed", self._killing("redis")),
            ("the counter of uses is killed", self._killing("usage")),
            ("PgBouncer is killed", self._killing("pgbouncer")),
            ("all connections to RabbitMQ are closed", self._close_connections),
            ("the clock and the keeper of logins are killed", self._killing("clock", "apps")),
            ("the payments' and the mails' workers are killed", self._killing("payments", "mail")),
            ("both workers are killed", self._killing("worker-0", "worker-1")),
        )

    async def next(self) -> Done:
        """Raises ``BenchError`` where it cannot be done, ``AssertionError`` where not all is whole within a minute."""
        name, act = self._acts[self._turn % len(self._acts)]
        self._turn += 1
        await act()
        done = Done(name, round(await until(self._whole, f"all is whole again after {name}", _WHOLE_SECONDS), 1))
        self.done.append(done)
        return done

    async def _whole(self) -> bool:
        """Each process is ready, and alive at that: the one that was killed is not told to be dead at once."""
        return all(
            one.state == "ready" and one.process is not None and one.process.is_alive()
            for one in self._instance.status.processes
        )

    def _process(self, name: str) -> ProcessId:
        for one in self._instance.status.processes:
            if one.name == name and one.process is not None:
                return one.process
        raise BenchError(f"There is no process {name} to be hurt.")

    def _killing(self, *names: str) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            processes = [self._process(name) for name in names]
            for process in processes:
                process.send(signal.SIGKILL)

            async def dead() -> bool:
                return not any(process.is_alive() for process in processes)

            await until(dead, f"{names} are dead", _WHOLE_SECONDS)

        return kill

    async def _pause_worker(self) -> None:
        process = self._process("worker-1")
        process.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(_PAUSED_SECONDS)
        finally:
            process.send(signal.SIGCONT)

    async def _close_connections(self) -> None:
        env = self._instance.env
        async with Management.of(env["MANA_RABBITMQ_MANAGEMENT_URL"], env["MANA_AMQP_URL"]) as broker:
            for connection in await broker.get("connections"):
                await broker.delete("connections", connection["name"])
