"""S36: replies whose address is gone, and addresses that are traps."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import aio_pika

from contracts.topology import DEAD_QUEUE, DIRECT_REPLY_TO, EVENTS_EXCHANGE, EVENTS_LOG, command_queue
from ops import urls
from tests.e2e.spoilt import text
from tests.faults.oracle import commands
from tests.faults.oracle.client import in_flight
from tests.faults.poison import Poison
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.bare import publish_bare
from tests.faults.tools.workers import Worker

_SLOW: Final = "before_commit:*:sleep:200"
"""So that whoever leaves upon the broker's confirm is gone before the reply."""
_AT_ONCE: Final = 4
_HANG_UP_SECONDS: Final = 0.1
"""Long enough for a command to leave, and shorter than a batch takes here."""
_LOOK_SECONDS: Final = 20.0
_LATE: Final = "mana_late_replies_total"
_LOST: Final = frozenset({"connection lost", "consumer lost"})
_APP: Final = "chat"
_TRAPS: Final = (
    command_queue(3),
    DEAD_QUEUE,
    EVENTS_LOG,
    f"replies|{EVENTS_EXCHANGE}",
    "amq.topic",
    "amq.rabbitmq.log",
    f"{DIRECT_REPLY_TO}.forged",
)


@scenario("S36", "clients gone before their reply, reply queues deleted, hostile reply addresses", recovers=5)
async def lost_replies(stage: Stage) -> None:
    """The command is carried out and acknowledged; a trap's is not, and is kept. No channel is closed over either.

    One of the plan's hostile addresses is obeyed, and so is not among these: another app's queue. No broker login tells
    apps apart before issue 7, which gives each its own and closes that.
    """
    workers = await stage.workers.start(2, crash=_SLOW, crash_each_life=True)
    await stage.workers.even()
    await stage.users()
    await stage.start_front()
    before = await _came_again(workers)
    async with stage.load():
        times = stage.size(fast=5, usual=100, nightly=1_000)
        kinds = (_vanish, _reply_to_deleted_queue, _set_trap)
        sends = [send for send in kinds for _ in range(times)]
        stage.random.shuffle(sends)
        await _all(stage, sends)
        await _hang_up(stage, stage.size(fast=20, usual=100, nightly=1_000))
        await _kill_fronts(stage, stage.size(fast=1, usual=5, nightly=50))
        await stage.recovers("nobody to reply to", time.monotonic())
    await _unharmed(stage, workers)
    again = await _came_again(workers) - before
    stage.must(again == 0, f"{again:.0f} deliveries came again")
    lost = sum([await worker.meter("mana_late_replies_lost_total") for worker in workers])
    stage.must(lost == 0, f"{lost:.0f} replies were put aside as suspicious, and lost")
    stage.figure("not tried: another app's queue as reply address, which is obeyed until", "issue 7")


async def _all(stage: Stage, sends: Sequence[Callable[[Stage], Awaitable[None]]]) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(send: Callable[[Stage], Awaitable[None]]) -> None:
        async with places:
            await send(stage)

    await asyncio.gather(*(one(send) for send in sends))


async def _vanish(stage: Stage) -> None:
    """A client that closes its connection once its command is safe."""
    answered = await _use(stage, DIRECT_REPLY_TO)
    stage.injected("clients gone before their reply", not answered)


async def _reply_to_deleted_queue(stage: Stage) -> None:
    async with await aio_pika.connect(stage.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.delete()
    await _use(stage, queue.name)
    stage.injected("reply queues deleted")


async def _use(stage: Stage, reply_to: str) -> bool:
    """Uses a credit, and leaves upon the broker's confirm; whether a reply came before."""
    user, id_ = stage.random.choice(await stage.users()), str(uuid.uuid4())
    key = f"{stage.run}:nobody:{id_}"
    body = commands.body("use", user, key, 1, _APP, None)
    attempt = stage.journal.attempt(user=user, key=key, op="use", amount=1, message_id=id_, transport="bare", body=body)
    await stage.journal.synced()
    message = Poison(key, "answered", body.encode(), {"reply_to": text(reply_to.encode())})
    fate = await publish_bare(
        stage.amqp_url, message.message(user, id_, urls.login_of(stage.amqp_url)[0]), answered=False
    )
    stage.must(fate.confirmed, f"a command for {reply_to} was not confirmed: {fate}")
    stage.journal.confirmed(attempt.n)
    return fate.reply is not None


async def _set_trap(stage: Stage) -> None:
    await _publish_trap(stage, stage.random.choice(_TRAPS))
    stage.injected("hostile reply addresses")


async def _publish_trap(stage: Stage, trap: str) -> None:
    """A command that is in order but for its reply address: kept, answered nowhere, and not carried out."""
    user, id_ = stage.random.choice(await stage.users()), str(uuid.uuid4())
    body = commands.body("use", user, f"{stage.run}:trap:{id_}", 1, _APP, None)
    message = Poison(trap, "kept", body.encode(), {"reply_to": text(trap.encode())})
    stage.dead.add(id_)
    login, _ = urls.login_of(stage.amqp_url)
    fate = await publish_bare(stage.amqp_url, message.message(user, id_, login), answered=False)
    stage.must(fate.confirmed, f"a command for {trap} was not confirmed: {fate}")


async def _hang_up(stage: Stage, times: int) -> None:
    """Clients of the front that wait for no reply, and go away: the replies come to the front, and are counted."""
    (front,) = stage.front.fronts
    async with stage.rest(2) as rest:
        before = await front.meter(_LATE)
        asked = [
            partial(
                rest.use,
                stage.random.choice(rest.users),
                f"{stage.run}:hung-up:{number}",
                1,
                wait=0,
                hang_up=_HANG_UP_SECONDS,
                look_for=_LOOK_SECONDS,
            )
            for number in range(times)
        ]
        told = await in_flight(_AT_ONCE, asked)
    stage.injected("clients of REST gone before their reply", times)
    done = sum(outcome.cls == "acknowledged" for outcome in told)
    stage.must(done == times, f"of {times} commands whose clients hung up {done} were found done")
    late = await front.meter(_LATE) - before
    stage.injected("replies that nobody waited for", int(late))
    stage.must(late >= times / 2, f"{times} clients hung up, and {late:.0f} replies came when nobody waited")


async def _kill_fronts(stage: Stage, times: int) -> None:
    """A front is a client of the broker too: for one that is killed, replies to all its requests are still to come."""
    (front,) = stage.front.fronts
    for _ in range(times):
        await stage.pass_time(fast=1.0, usual=3.0, nightly=3.0)
        await front.kill()
        stage.injected("fronts killed")
        await front.ready()


async def _unharmed(stage: Stage, workers: list[Worker]) -> None:
    lost = [line for worker in workers for line in worker.lines() if line.get("event") in _LOST]
    stage.must(not lost, f"a worker lost its connection or a consumer: {lost[:1]}")
    stage.must(stage.workers.restarts == 0, "a worker died")


async def _came_again(workers: list[Worker]) -> float:
    return sum([await worker.meter("mana_deliveries_redelivered_total") for worker in workers])
