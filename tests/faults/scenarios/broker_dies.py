"""S14, S15: RabbitMQ throws everybody out, stops, is killed, and comes back with a backlog."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from statistics import median
from typing import Final

from tests.faults.backlog import POLICY, queue_up
from tests.faults.oracle.journal import Told
from tests.faults.oracle.outcomes import codes
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools import telling
from tests.faults.tools.proxy import Proxy
from tests.faults.tools.transactions import fates, watched
from tests.faults.tools.workers import Worker

_AT_ONCE: Final = 2_000
_UP_SECONDS: Final = 15.0
_SLOWEST: Final = 1_000
"""Commands a second with which a backlog is worked off at least: a third of what was measured."""
_STATEMENT_SECONDS: Final = 0.04
"""So long does each statement of a batch take here, that one is always under way."""
_UNDER_WAY: Final = "batches being written at that moment"
_LOST_SECONDS: Final = 20.0
_TOLD_SECONDS: Final = 1.0
"""Half of what a client of the front is ready to wait: who hears of a lost broker by then was told at once."""
_WITHOUT_BROKER: Final = {"overloaded"}
_ACROSS_A_KILL: Final = {"acknowledged", "overloaded", "pending"}


@scenario("S14", "all connections closed by the broker, again and again", recovers=10, fast=True)
async def everybody_out(stage: Stage) -> None:
    """A batch that is being committed when its connection dies goes on; its commands come again, and are replays."""
    async with Proxy.before(stage.workers.database_url) as proxy:
        workers = await stage.workers.start(2, database_url=proxy.url(stage.workers.database_url))
        async with stage.load():
            for _ in stage.rounds(_UNDER_WAY, fast=2, usual=12, nightly=60):
                await stage.pass_time(fast=1.5, usual=5.0, nightly=5.0)
                await _throw_out(stage, workers, proxy)
        cancelled = [line for worker in workers for line in worker.lines() if "CancelledError" in str(line)]
        stage.must(not cancelled, f"something was cancelled: {cancelled[:1]}")
        stage.must(stage.workers.restarts == 0, "a worker died of a closed connection")
        stage.must(
            stage.notes.injected.get(_UNDER_WAY), "no batch was being written when its worker's connection was closed"
        )
        await stage.workers.stop()


async def _throw_out(stage: Stage, workers: list[Worker], proxy: Proxy) -> None:
    """Whatever was being written when a worker lost its connection is committed all the same."""

    async def all_lost() -> bool:
        return all(_losses(worker, since) for worker in workers)

    proxy.delay(_STATEMENT_SECONDS, direction="up")
    since = time.time()
    async with watched(stage.database, "mana_worker") as transactions:
        stage.injected("connections closed", await stage.broker.close_all_connections())
        closed = time.monotonic()
        await telling.until(all_lost, "all workers lose their connections", _LOST_SECONDS)
        await proxy.restore()
        await stage.recovers("connections closed", closed)
    across = transactions.across(moment for worker in workers for moment in _losses(worker, since))
    stage.injected(_UNDER_WAY, len(across))
    lost = {xid: fate for xid, fate in (await fates(stage.database, across)).items() if fate != "committed"}
    stage.must(not lost, f"what was being written when a connection was closed was not committed: {lost}")


def _losses(worker: Worker, since: float) -> list[float]:
    """When it found that its connection for commands was lost (seconds since 1970)."""
    lost = (line["timestamp"] for line in worker.lines() if line.get("event") == "connection lost")
    return [at for each in lost if (at := datetime.fromisoformat(each).timestamp()) >= since]


@scenario("S15", "RabbitMQ stopped, killed, and killed with a backlog in its queues", recovers=15)
async def broker_dies(stage: Stage) -> None:
    """What was confirmed is there afterwards; who publishes meanwhile is told at once."""
    workers = await stage.workers.start(2)
    await stage.start_front()
    async with stage.load():
        await _stop(stage)
        began = time.time()
        for _ in range(stage.size(fast=1, usual=3, nightly=10)):
            await stage.pass_time(fast=1.0, usual=5.0, nightly=10.0)
            await stage.broker.kill()
            stage.injected("RabbitMQ killed")
            await stage.broker.wait_up()
            await stage.recovers("RabbitMQ up again", time.monotonic())
        over = time.time()
    _judge_rest(stage, await stage.told(), "around kills", began, over, _ACROSS_A_KILL)
    failed = [answer for answer in stage.front.answers if answer.failed]
    stage.must(not failed, f"the front failed, or did not say when to come again: {failed}")
    await _kill_with_backlog(stage)
    stage.must(all(worker.restarts == 0 for worker in workers), "a worker died of a lost broker")


async def _stop(stage: Stage) -> None:
    """The application is stopped inside its node for a while; worker and front say so, and REST is refused at once."""
    await stage.broker.stop_app()
    since = time.time()
    stage.injected("RabbitMQ stopped")
    await asyncio.sleep(stage.size(fast=3.0, usual=30.0, nightly=30.0))
    for process in (*stage.workers.present, *stage.front.fronts):
        stage.must(not await telling.is_ready(process.url), f"{process.name} says that it is ready")
        problems = str(await process.health())
        stage.must("rabbitmq" in problems.lower(), f"{process.name} does not name RabbitMQ: {problems}")
    until = time.time()
    await stage.broker.start_app()
    await stage.recovers("RabbitMQ started again", time.monotonic())
    told = await stage.told()
    _judge_rest(stage, told, "without RabbitMQ", since, until, _WITHOUT_BROKER)
    took = [
        told.outcomes[n][0].at - attempt.sent_at
        for n, attempt in told.attempts.items()
        if attempt.transport == "rest" and since <= attempt.sent_at < until and n in told.outcomes
    ]
    stage.figure("median answer over REST without RabbitMQ, s", median(took) if took else "none")
    stage.must(took and median(took) < _TOLD_SECONDS, "over REST nobody was told at once that RabbitMQ is away")


def _judge_rest(stage: Stage, told: Told, when: str, since: float, until: float, may: set[str]) -> None:
    """Some are told that they were not accepted, and nobody anything that is not in ``may``."""
    answers = codes(told, "rest", since, until)
    stage.figure(f"answers over REST {when}", ", ".join(f"{code} ({n})" for code, n in sorted(answers.items())))
    stage.must(answers["overloaded"], f"over REST nobody was told to come again {when}: {answers}")
    stage.must(answers.keys() <= may, f"over REST {when}: {answers}")


async def _kill_with_backlog(stage: Stage) -> None:
    """Commands wait while nobody works on them, the broker is killed, and all of them are worked off."""
    number = stage.size(fast=2_000, usual=50_000, nightly=200_000)
    waiting = await queue_up(stage, number, at_once=_AT_ONCE)
    await stage.broker.kill()
    stage.injected("RabbitMQ killed with a backlog")
    stage.figure("commands that waited in the killed broker", f"{waiting:,}")
    await stage.broker.wait_up()
    began = time.monotonic()
    await stage.workers.start(2)
    await stage.broker.remove_policy(POLICY)
    took = await stage.recovers("backlog worked off", began, within=_UP_SECONDS + waiting / _SLOWEST)
    stage.figure("backlog worked off, commands a second", f"{waiting / took:,.0f}")
