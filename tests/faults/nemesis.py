"""What the nemesis of S46 can do: all faults of the other scenarios, each as one act that is over when it returns."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from ops import urls
from tests.faults.backlog import COMMAND_QUEUES
from tests.faults.crash import WORKER_POINTS
from tests.faults.doomed import ENDING, die_at
from tests.faults.oracle.client import Client, in_flight
from tests.faults.poison import POISONS
from tests.faults.scenarios.duplicates import Threefold
from tests.faults.stage import Stage
from tests.faults.tools.bare import publish_bare
from tests.faults.tools.kept import Kept
from tests.faults.tools.obstacles import deadlock, rule
from tests.faults.tools.proxy import Proxy
from tests.faults.tools.telling import until
from tests.faults.tools.workers import Worker

Part = Literal["workers", "front", "broker", "database"]

_MOST: Final = 4
"""Workers at most."""
_RUNS_SECONDS: Final = 60.0
_ASLEEP_SECONDS: Final = 1.0
"""So long nobody takes from the queues behind a burst: workers who are quick would take it before any is full."""
_BURSTS: Final = 2
"""A quorum queue says that it is full when what was sent has filled it: the first burst does, the next one hears it."""
_FEW: Final = 2
"""Messages that a full queue holds."""
_BURST: Final = 400
_THREEFOLD: Final = 50
_AT_ONCE: Final = 10
_POISONS: Final = tuple(dish for dish in POISONS if "kept" in dish.fate)
_POINTS: Final = tuple(point for point in WORKER_POINTS if point not in {*ENDING, "mid_ack"})
"""Those that any worker passes; the middle of an ack needs two partitions, and one of many may have a single one."""
_FULL_DISK: Final = "53100"
_SERIALISATION: Final = "40001"


class Nemesis:
    """Its hand on a stage: the ``distant`` worker stands behind the ``proxy``, and stays for good."""

    def __init__(self, stage: Stage, proxy: Proxy, distant: Worker) -> None:
        self.stage = stage
        self._proxy = proxy
        self._distant = distant

    # Workers

    async def kill_worker(self) -> int:
        """Whoever it is."""
        await (await self._somebody()).kill()
        return 1

    async def restart_worker(self) -> int:
        """It drains."""
        await (await self._somebody()).restart()
        return 1

    async def pause_worker(self) -> int:
        """For up to twice as long as PostgreSQL waits for it."""
        worker = await self._somebody()
        await worker.pause()
        await self._some_time(20.0)
        await worker.wake()
        return 1

    async def join_or_leave(self) -> int:
        """One more, or one less where there are many."""
        leaving = [worker for worker in self.stage.workers.running if worker is not self._distant]
        if len(self.stage.workers.present) < _MOST or not leaving:
            await self.stage.workers.start(ready=False)
        else:
            await self.stage.random.choice(leaving).drain()
        return 1

    async def die_at_a_point(self) -> int:
        """One more joins, and is killed at a crash point."""
        await die_at(self.stage, self.stage.random.choice(_POINTS))
        return 1

    # The distant worker's line

    async def cut_line(self) -> int:
        """All of its connections to RabbitMQ."""
        await self._connected()
        return await self._proxy.cut()

    async def freeze_line(self) -> int:
        """For about as long as heartbeats allow."""
        await self._connected()
        self._proxy.freeze()
        await self._some_time(25.0)
        await self._proxy.restore()
        return 1

    async def slow_line(self) -> int:
        """Late, narrow, and in pieces, all at once."""
        await self._connected()
        self._proxy.delay(0.3, 0.1)
        self._proxy.bandwidth(32_000)
        self._proxy.slice(700)
        await self._some_time(10.0)
        await self._proxy.restore()
        return 1

    # The front

    async def kill_front(self) -> int:
        """It is started again."""
        (front,) = self.stage.front.fronts
        await until(partial(_runs, front), f"{front.name} runs", _RUNS_SECONDS)
        await front.kill()
        return 1

    # RabbitMQ

    async def kill_broker(self) -> int:
        """It is started again."""
        await self.stage.broker.kill()
        await self.stage.broker.wait_up()
        return 1

    async def stop_broker(self) -> int:
        """For a while."""
        async with self.stage.broker.stopped():
            await self._some_time(10.0)
        return 1

    async def throw_everybody_out(self) -> int:
        """How many connections."""
        return await self.stage.broker.close_all_connections()

    async def block_publishers(self) -> int:
        """For a while."""
        async with self.stage.broker.disk_alarm():
            await self._some_time(10.0)
        return 1

    async def fill_queues(self) -> int:
        """Queues that hold next to nothing, nobody who takes from them, and bursts: how many were refused."""
        name = f"faults-full-{uuid.uuid4().hex[:8]}"
        await self.stage.broker.policy(name, COMMAND_QUEUES, {"max-length": _FEW})
        bursts = list[asyncio.Task[int]]()
        async with self.stage.workers.asleep():
            for _ in range(_BURSTS):
                bursts.append(asyncio.create_task(self._burst(name)))
                await asyncio.sleep(_ASLEEP_SECONDS)
        refused = sum(await asyncio.gather(*bursts))
        await self.stage.broker.remove_policy(name)
        return refused

    async def _burst(self, name: str) -> int:
        """Uses sent at once: how many of them the broker did not take."""
        stage, users = self.stage, await self.stage.users()
        outcomes = await in_flight(
            _BURST,
            (
                partial(
                    stage.client.send, "use", stage.random.choice(users), f"{stage.run}:{name}:{uuid.uuid4()}", amount=1
                )
                for _ in range(_BURST)
            ),
        )
        return sum(outcome.code == "nacked" for outcome in outcomes)

    # Messages

    async def poison(self) -> int:
        """One that is kept as dead; whether it was answered is another scenario's question."""
        stage, dish, id_ = self.stage, self.stage.random.choice(_POISONS), str(uuid.uuid4())
        stage.dead.add(id_)
        frames = dish.message(stage.random.choice(await stage.users()), id_, urls.login_of(stage.amqp_url)[0])
        fate = await publish_bare(stage.amqp_url, frames, answered=False)
        stage.must(fate.confirmed, f"{dish.name}: the broker did not take it: {fate.closed}")
        return 1

    async def repeat_commands(self) -> int:
        """Some commands, each three times on three connections."""
        stage, users = self.stage, await self.stage.users()
        async with AsyncExitStack() as stack:
            threefold = Threefold(
                [await stack.enter_async_context(Client(stage.amqp_url, stage.journal)) for _ in range(3)]
            )
            await in_flight(
                _AT_ONCE,
                (
                    partial(
                        threefold.send, "use", stage.random.choice(users), f"{stage.run}:three:{uuid.uuid4()}", amount=1
                    )
                    for _ in range(_THREEFOLD)
                ),
            )
        return threefold.sent

    # PostgreSQL

    async def kill_database(self) -> int:
        """It is started again."""
        await self.stage.database.kill()
        await self.stage.database.wait_up()
        return 1

    async def restart_database(self) -> int:
        """At once."""
        await self.stage.database.restart_immediate()
        await self.stage.database.wait_up()
        return 1

    async def end_sessions(self) -> int:
        """The workers'; how many."""
        return await self.stage.database.end_backends("%", role="mana_worker")

    async def take_all_sessions(self) -> int:
        """Nobody gets a new one for a while; some lose theirs."""
        async with self.stage.database.full():
            await self.stage.database.end_backends("%", role="mana_worker")
            await self._some_time(8.0)
        return 1

    async def lock_table(self) -> int:
        """For a while."""
        async with self.stage.database.locked("credits.balances"):
            await self._some_time(8.0)
        return 1

    async def deadlock(self) -> int:
        """With whoever works on a batch."""
        await deadlock(self.stage.database, await self.stage.users())
        return 1

    async def refuse_writes(self, sqlstate: str) -> int:
        """Every transaction of some seconds is answered with this."""
        async with rule(self.stage.database, "true", sqlstate, each="STATEMENT"):
            await self._some_time(8.0)
        return 1

    # Chances

    async def _some_time(self, most: float) -> None:
        """A second at least."""
        await asyncio.sleep(self.stage.random.uniform(1.0, most))

    async def _somebody(self) -> Worker:
        """Any worker that runs, as soon as one does."""

        async def any_runs() -> bool:
            return bool(self.stage.workers.running)

        await until(any_runs, "a worker runs", _RUNS_SECONDS)
        return self.stage.random.choice(self.stage.workers.running)

    async def _connected(self) -> None:
        """Returns once the distant worker has a line to be hurt."""

        async def has_line() -> bool:
            return bool(self._proxy.connections) and (await self._distant.share()).consuming > 0

        await until(has_line, f"{self._distant.name} works", _RUNS_SECONDS, self._distant.log)


async def _runs(front: Kept) -> bool:
    return front.runs


@dataclass(frozen=True)
class Act:
    """One of its acts. ``play`` answers how often it is known to have happened.

    ``hurts``: what no other act may hurt at the same time, since one of the two would not happen.
    """

    name: str
    play: Callable[[Nemesis], Awaitable[int]]
    hurts: frozenset[Part]


def _act(name: str, play: Callable[[Nemesis], Awaitable[int]], *hurts: Part) -> Act:
    return Act(name, play, frozenset(hurts))


ACTS: Final = (
    _act("workers killed", Nemesis.kill_worker, "workers"),
    _act("workers restarted", Nemesis.restart_worker, "workers"),
    _act("workers paused", Nemesis.pause_worker, "workers"),
    _act("workers joined or left", Nemesis.join_or_leave, "workers"),
    _act("workers killed at a crash point, beside others", Nemesis.die_at_a_point, "workers"),
    _act("lines of a worker cut", Nemesis.cut_line, "workers", "broker"),
    _act("lines of a worker frozen", Nemesis.freeze_line, "workers", "broker"),
    _act("lines of a worker slow", Nemesis.slow_line, "workers", "broker"),
    _act("fronts killed", Nemesis.kill_front, "front"),
    _act("RabbitMQ killed", Nemesis.kill_broker, "broker"),
    _act("RabbitMQ stopped for a while", Nemesis.stop_broker, "broker"),
    _act("connections closed", Nemesis.throw_everybody_out, "broker"),
    _act("disk alarms", Nemesis.block_publishers, "broker"),
    _act("commands refused by full queues", Nemesis.fill_queues, "workers", "broker"),
    _act("poisoned messages", Nemesis.poison, "broker"),
    _act("commands published three times", Nemesis.repeat_commands, "broker"),
    _act("PostgreSQL killed", Nemesis.kill_database, "database"),
    _act("PostgreSQL restarted at once", Nemesis.restart_database, "database"),
    _act("workers' sessions ended", Nemesis.end_sessions, "database"),
    _act("all sessions taken for a while", Nemesis.take_all_sessions, "database"),
    _act("balances locked for a while", Nemesis.lock_table, "database"),
    _act("deadlocks", Nemesis.deadlock, "workers", "broker", "database"),
    _act("PostgreSQL without disk for a while, by its word", lambda hand: hand.refuse_writes(_FULL_DISK), "database"),
    _act("serialisation failures for a while", lambda hand: hand.refuse_writes(_SERIALISATION), "database"),
)
