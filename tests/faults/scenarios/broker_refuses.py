"""S16 to S18: RabbitMQ blocks publishers, has full queues, and loses a queue."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Final

from contracts.topology import command_queue
from tests.faults.backlog import COMMAND_QUEUES
from tests.faults.oracle.client import in_flight
from tests.faults.oracle.journal import Told
from tests.faults.oracle.resolve import quiesce
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.telling import until
from tests.faults.tools.workers import Worker

_EPOCHS: Final = "SELECT partition, epoch FROM credits.partitions ORDER BY partition"
_NOTICED_SECONDS: Final = 20.0
_AT_ONCE: Final = 500


@scenario("S16", "RabbitMQ out of disk: publishers blocked", recovers=5)
async def publishers_blocked(stage: Stage) -> None:
    """Leases are held, nothing is lost; what was published meanwhile is executed late, or not at all."""
    workers = await stage.workers.start(2)
    await stage.start_front()
    async with stage.load(deadline=stage.size(fast=2.0, usual=10.0, nightly=10.0)):
        await stage.pass_time(fast=1.0, usual=5.0, nightly=5.0)
        before = await stage.database.fetch(_EPOCHS)
        async with stage.broker.disk_alarm():
            stage.injected("disk alarm")
            for worker in workers:
                await until(partial(_is_blocked, worker), f"{worker.name} tells that it is blocked", _NOTICED_SECONDS)
                stage.must("blocked" in str(await worker.health()), f"{worker.name}: ready does not say blocked")
            since = time.time()
            await asyncio.sleep(stage.size(fast=5.0, usual=60.0, nightly=60.0))
            over = time.time()
        await stage.recovers("alarm over", time.monotonic())
        after = await stage.database.fetch(_EPOCHS)
    stage.must(before == after, f"partitions changed hands over an alarm: {before}, {after}")
    late = _executed_late(await stage.told(), since, over)
    stage.figure("commands executed after their client had given them up", late)
    stage.must(late, "no command was executed after its client had given it up")


def _executed_late(told: Told, since: float, over: float) -> int:
    """Attempts of the alarm's time whose clients heard nothing in time, and later that this very one was executed."""
    return sum(
        first.code == "timeout" and any(outcome.cls == "acknowledged" and not outcome.replayed for outcome in others)
        for n, (first, *others) in told.outcomes.items()
        if n in told.attempts and since <= told.attempts[n].sent_at < over
    )


async def _is_blocked(worker: Worker) -> bool:
    return await worker.meter("mana_broker_blocked") == 1


@scenario("S17", "queues full: ten times more commands than they hold, and nobody who works on them", recovers=30)
async def queues_full(stage: Stage) -> None:
    """Who is not accepted is told so; who is accepted is executed."""
    limit, number = 1_000, stage.size(fast=4_000, usual=20_000, nightly=20_000)
    await stage.workers.start(2)
    await stage.start_front()
    users = await stage.users(200)
    async with stage.rest(3) as rest:
        await stage.broker.policy("faults-full", COMMAND_QUEUES, {"max-length": limit // stage.scenario.partitions})
        await stage.workers.stop()
        outcomes = await in_flight(
            _AT_ONCE,
            (
                partial(
                    stage.client.send, "use", users[n % len(users)], f"{stage.run}:flood:{n}", amount=1, deadline=2.0
                )
                for n in range(number)
            ),
        )
        refused = sum(1 for outcome in outcomes if outcome.code == "nacked")
        stage.must(refused, "no publish was refused")
        stage.injected("publishes refused", refused)
        held = sum(depth.ready for depth in (await stage.broker.depths()).values())
        stage.figure("commands held by queues that are to hold 1,000", f"{held:,}")
        over_rest = [await rest.use(user, f"{stage.run}:full:{user.user}", 1) for user in rest.users]
        stage.figure("answers over REST", ", ".join(sorted({outcome.code or outcome.cls for outcome in over_rest})))
        stage.must(
            all(outcome.code in {"overloaded", "pending"} for outcome in over_rest),
            f"over REST: {[outcome.code for outcome in over_rest]}",
        )
        began = time.monotonic()
        await stage.workers.start(2)
        await stage.recovers("workers back", began)
        await stage.broker.remove_policy("faults-full")


@scenario("S18", "a command queue deleted while it is consumed and published to", recovers=15)
async def queue_deleted(stage: Stage) -> None:
    """It comes back, with its arguments and its binding. (That a purge is reported, test_oracle shows.)

    It is empty when it is deleted, since what lies in a deleted queue is lost with it. The hash exchange sends users
    elsewhere meanwhile and afterwards: their order is not promised across that.
    """
    stage.ordered = False
    await stage.workers.start(2)
    async with stage.load() as load:
        for _ in range(stage.size(fast=1, usual=5, nightly=20)):
            await stage.pass_time(fast=1.0, usual=8.0, nightly=20.0)
            load.pause()
            await quiesce(stage.instance.addresses.management, stage.amqp_url, quiet=1.0, within=30.0)
            queue = command_queue(stage.random.randrange(stage.scenario.partitions))
            await stage.broker.delete_queue(queue)
            stage.injected("queues deleted")
            began = time.monotonic()
            load.go_on()
            await until(partial(_is_consumed, stage, queue), f"{queue} is consumed again", 60.0)
            await stage.recovers("queue deleted", began)


async def _is_consumed(stage: Stage, queue: str) -> bool:
    return queue in await stage.broker.consumers()
