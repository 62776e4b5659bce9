"""S16 to S18: RabbitMQ blocks publishers, has full queues, and loses a queue."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final

from contracts.topology import COMMANDS_EXCHANGE, command_queue
from tests.faults.backlog import COMMAND_QUEUES
from tests.faults.oracle.client import in_flight
from tests.faults.oracle.journal import Told
from tests.faults.oracle.load import Load
from tests.faults.oracle.resolve import quiesce
from tests.faults.oracle.rest import Rest
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.balancer import Answer
from tests.faults.tools.broker import Layout
from tests.faults.tools.telling import until
from tests.faults.tools.workers import Worker

_EPOCHS: Final = "SELECT partition, epoch FROM credits.partitions ORDER BY partition"
_NOW: Final = "SELECT clock_timestamp()"
_WRITTEN: Final = "SELECT count(*) FROM credits.transactions WHERE partition = $1 AND created_at > $2"
_NOTICED_SECONDS: Final = 20.0
_BACK_SECONDS: Final = 60.0
_AT_ONCE: Final = 500
_TRIES: Final = 3
_SOME: Final = 20
_STEADY: Final = 60
"""Users: enough for the hash to send somebody to each queue."""
_PAUSE_SECONDS: Final = 0.2
"""Longer than an event takes to leave behind its reply: a user's next command may be another worker's."""


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
            await until(partial(_blocked, workers), "a worker tells that it is blocked", _NOTICED_SECONDS)
            for worker in await _blocked(workers):
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


async def _blocked(workers: list[Worker]) -> list[Worker]:
    """Those who know: the broker tells a connection when it publishes, and nothing to who has nothing to publish."""
    return [worker for worker in workers if await worker.meter("mana_broker_blocked") == 1]


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
        await _judge_held(stage, limit)
        await _ask_over_rest(stage, rest)
        began = time.monotonic()
        await stage.workers.start(2)
        await stage.recovers("workers back", began)
        await stage.broker.remove_policy("faults-full")


async def _judge_held(stage: Stage, limit: int) -> None:
    """What was confirmed waits; beyond the limit there is no more than what was under way when it was reached."""
    depths = await stage.broker.depths()
    held = sum(depth.ready for queue, depth in depths.items() if re.match(COMMAND_QUEUES, queue))
    told = await stage.told()
    confirmed = sum(told.attempts[n].key.startswith(f"{stage.run}:flood:") for n in told.confirmed)
    stage.figure(f"commands held by queues that are to hold {limit:,}", f"{held:,}")
    stage.must(held == confirmed, f"{confirmed} commands were confirmed, {held} wait")
    stage.must(limit <= held <= limit + _AT_ONCE, f"queues that are to hold {limit} hold {held}")


async def _ask_over_rest(stage: Stage, rest: Rest) -> None:
    """A full queue is a 503 that says when to come again; a queue that is hardly full may still take one."""
    asked = [(user, number) for number in range(_TRIES) for user in rest.users]
    answers = Counter[str]()
    for user, number in asked:
        outcome = await rest.use(user, f"{stage.run}:full:{number}:{user.user}", 1, look_for=0.0)
        answers[outcome.code or outcome.cls] += 1
    stage.figure("answers over REST", ", ".join(f"{code} ({n})" for code, n in sorted(answers.items())))
    stage.must(answers["overloaded"], f"over REST nobody was told that a queue is full: {answers}")
    stage.must(answers.keys() <= {"overloaded", "pending"}, f"over REST: {answers}")
    unsaid = stage.front.answers[Answer(503)]
    stage.must(not unsaid, f"{unsaid} answers 503 did not say when to come again")


@scenario("S18", "command queues deleted while they are consumed and published to", recovers=15)
async def queues_deleted(stage: Stage) -> None:
    """They come back, with their arguments and bindings. (That a purge is reported, test_oracle shows.)

    They are empty when they are deleted, since what lies in a deleted queue is lost with it. The hash exchange sends
    users elsewhere meanwhile and afterwards: until a queue is back, a user's next command is sent upon the answer to
    the last one, so that their order is to be kept all the same.
    """
    await stage.workers.start(2)
    await stage.start_front()
    async with stage.rest(3) as rest, stage.load() as load:
        for _ in range(stage.size(fast=1, usual=5, nightly=20)):
            await stage.pass_time(fast=1.0, usual=8.0, nightly=20.0)
            await _delete_one(stage, load)
        for _ in range(stage.size(fast=1, usual=2, nightly=5)):
            await stage.pass_time(fast=1.0, usual=8.0, nightly=20.0)
            await _delete_all(stage, load, rest)


async def _delete_one(stage: Stage, load: Load) -> None:
    """It is published to at once, and then at work again."""
    await _at_rest(stage, load)
    queue = command_queue(stage.random.randrange(stage.scenario.partitions))
    before = await _layouts(stage)
    ((since,),) = await stage.database.fetch(_NOW)
    await stage.broker.delete_queue(queue)
    began = time.monotonic()
    stage.injected("queues deleted")
    async with _steadily(stage):
        await until(partial(_works, stage, queue, since), f"{queue} is worked off again", _BACK_SECONDS)
        await stage.recovers("queue deleted", began)
        await _back(stage, before)
    load.go_on()


async def _delete_all(stage: Stage, load: Load, rest: Rest) -> None:
    """The workers stand still meanwhile, so that everybody's command meets no queue: nobody's is accepted."""
    await _at_rest(stage, load)
    before = await _layouts(stage)
    async with stage.workers.asleep():
        await stage.broker.delete_queues(before)
        stage.injected("times that all queues were deleted")
        sent = [
            await stage.client.send("use", user, f"{stage.run}:nowhere:{uuid.uuid4()}", amount=1)
            for user in (await stage.users())[:_SOME]
        ]
        told = Counter(outcome.code for outcome in sent)
        stage.must(told == {"no_route": _SOME}, f"without a queue publishers were told {told}")
        asked = [await rest.use(user, f"{stage.run}:nowhere:{uuid.uuid4()}", 1) for user in rest.users]
        told = Counter(outcome.code for outcome in asked)
        stage.must(told == {"overloaded": len(asked)}, f"without a queue clients of REST were told {told}")
        unsaid = stage.front.answers[Answer(503)]
        stage.must(not unsaid, f"{unsaid} answers 503 did not say when to come again")
    await stage.recovers("all queues deleted", time.monotonic())
    await _back(stage, before)
    load.go_on()


async def _at_rest(stage: Stage, load: Load) -> None:
    """The load pauses, and nothing waits in a queue."""
    load.pause()
    left = await quiesce(stage.instance.addresses.management, stage.amqp_url, quiet=1.0, within=30.0)
    stage.must(not left, f"queues did not come to rest: {left}")


async def _layouts(stage: Stage) -> dict[str, Layout]:
    layouts = await stage.broker.layouts()
    return {queue: layout for queue, layout in layouts.items() if re.match(COMMAND_QUEUES, queue)}


async def _back(stage: Stage, before: Mapping[str, Layout]) -> None:
    """All queues are there again as they were, and consumed."""
    found: dict[str, Layout] = {}

    async def look() -> bool:
        found.clear()
        found.update(await _layouts(stage))
        return found == before and before.keys() <= (await stage.broker.consumers()).keys()

    try:
        await until(look, "the queues are as they were", _BACK_SECONDS)
    except AssertionError as late:
        other = {queue: (layout, found.get(queue)) for queue, layout in before.items() if found.get(queue) != layout}
        raise AssertionError(f"{late}{other}") from None


async def _works(stage: Stage, queue: str, since: datetime) -> bool:
    """Whether something that went through the queue was written since."""
    partition = int(queue.removeprefix(f"{COMMANDS_EXCHANGE}."))
    ((rows,),) = await stage.database.fetch(_WRITTEN, partition, since)
    return rows > 0


@asynccontextmanager
async def _steadily(stage: Stage) -> AsyncGenerator[None]:
    """Some users use credits until the block ends, each one upon the answer to its last command."""
    over = asyncio.Event()

    async def go_on(user: str) -> None:
        while not over.is_set():
            await stage.client.send("use", user, f"{stage.run}:steady:{uuid.uuid4()}", amount=1)
            await asyncio.sleep(_PAUSE_SECONDS)

    async with asyncio.TaskGroup() as group:
        for user in stage.random.sample(await stage.users(), _STEADY):
            group.create_task(go_on(user))
        try:
            yield
        finally:
            over.set()
