"""S36: replies whose address is gone, and addresses that are traps."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import aio_pika

from contracts.topology import DEAD_QUEUE, DIRECT_REPLY_TO, EVENTS_EXCHANGE, EVENTS_LOG, command_queue
from ops import urls
from tests.e2e.spoilt import text
from tests.faults.oracle import commands
from tests.faults.poison import Poison
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.bare import publish_bare
from tests.faults.tools.workers import Worker

_SLOW: Final = "before_commit:*:sleep:200"
"""So that whoever leaves upon the broker's confirm is gone before the reply."""
_AT_ONCE: Final = 4
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

    That an app may name another app's queue is for the apps' own rights to close, which are still to come.
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
        await _kill_fronts(stage, stage.size(fast=1, usual=5, nightly=50))
        await stage.recovers("nobody to reply to", time.monotonic())
    await _unharmed(stage, workers)
    again = await _came_again(workers) - before
    stage.must(again == 0, f"{again:.0f} deliveries came again")


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
