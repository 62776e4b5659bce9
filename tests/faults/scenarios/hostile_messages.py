"""S32: poison of every kind, from a real publisher, in the midst of the load."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from statistics import median
from typing import Final

from bench.cpu import Meter
from ops import urls
from tests.e2e.spoilt import text
from tests.faults.oracle import commands
from tests.faults.oracle.client import in_flight
from tests.faults.poison import POISONS, Poison, forged_token
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.bare import Fate, publish_bare
from tests.faults.tools.workers import Worker

_PUBLISHERS: Final = 4
_HEAVY: Final = next(poison for poison in POISONS if len(poison.body) > 10**6 and "answered" in poison.fate)
_MEMORY: Final = 150 * 10**6
"""Bytes that a worker may come to."""
_COSTS_MS: Final = 50
"""Milliseconds of the workers' CPU below which one message of any kind must stay."""
_LOOK_SECONDS: Final = 0.1
_LOST: Final = frozenset({"connection lost", "consumer lost"})
_ANOTHER_NODE: Final = 12_345_678


@scenario("S32", "poison of every kind in the midst of the load; forged reply-to tokens", recovers=5, fast=True)
async def poison(stage: Stage) -> None:
    """Each is answered, kept or refused as the contract says; nobody else notices.

    At the end the workers do not know which node their broker is: there a forged token of the right shape closes the
    connection of whoever answers it, three times at most.
    """
    workers = await stage.workers.start(2)
    await stage.users()
    await _weigh(stage, workers, stage.size(fast=2, usual=20, nightly=100))
    async with stage.load(), _memory(stage, workers, "poisoned"):
        rounds = stage.size(fast=1, usual=20, nightly=200)
        dishes = [poison for poison in POISONS for _ in range(rounds)]
        stage.random.shuffle(dishes)
        took = await _serve(stage, dishes)
        await stage.recovers("poison", time.monotonic())
    _note(stage, took)
    harmed = [line for worker in workers for line in worker.lines() if line.get("event") in _LOST]
    stage.must(not harmed, f"a worker lost its connection or a consumer: {harmed[:1]}")
    stage.must(stage.workers.restarts == 0, "a worker died of poison")
    await _flood(stage, stage.size(fast=100, usual=300, nightly=450))
    await _answer_forged_tokens(stage)


async def _weigh(stage: Stage, workers: list[Worker], times: int) -> None:
    """What each kind costs the workers while nobody else asks anything of them."""
    meter = Meter({"workers": [worker.pid for worker in workers]})
    costs: dict[str, float] = {}
    for dish in POISONS:
        before = meter.read()
        for _ in range(times):
            await _publish(stage, dish)
        costs[dish.name] = 1000 * meter.read().since(before)["workers"] / times
    heaviest = max(costs, key=lambda name: costs[name])
    stage.figure("the kind that costs the workers most CPU, ms each", f"{heaviest}: {costs[heaviest]:.1f}")
    dear = {name: f"{cost:.0f} ms" for name, cost in costs.items() if cost >= _COSTS_MS}
    stage.must(not dear, f"a message cost the workers {_COSTS_MS} ms of CPU or more: {dear}")


async def _serve(stage: Stage, dishes: list[Poison]) -> dict[str, list[float]]:
    """By a few publishers at a time; seconds to each answer, by kind."""
    took: dict[str, list[float]] = {}

    async def publisher() -> None:
        while dishes:
            dish = dishes.pop()
            fate = await _publish(stage, dish)
            if fate.reply is not None:
                took.setdefault(dish.name, []).append(fate.seconds)

    async with asyncio.TaskGroup() as group:
        for _ in range(_PUBLISHERS):
            group.create_task(publisher())
    return took


async def _publish(stage: Stage, dish: Poison) -> Fate:
    id_ = str(uuid.uuid4())
    answered = "answered" in dish.fate
    if "kept" in dish.fate:
        stage.dead.add(id_)
    frames = dish.message(stage.random.choice(await stage.users()), id_, urls.login_of(stage.amqp_url)[0])
    fate = await publish_bare(stage.amqp_url, frames, answered=answered)
    refused = dish.fate == "refused by the broker"
    stage.must((fate.closed is not None) == refused, f"{dish.name}: the broker closed the connection: {fate.closed}")
    stage.must(fate.reply is not None or not answered, f"{dish.name}: no answer")
    if fate.reply is not None:
        told = json.loads(fate.reply).get("error", {}).get("code")
        stage.must(told == "invalid_request", f"{dish.name}: was told {told}")
    stage.injected("poisoned messages refused by the broker" if refused else "poisoned messages")
    return fate


def _note(stage: Stage, took: dict[str, list[float]]) -> None:
    stage.figure("kinds of poison", len(POISONS))
    slowest = max(took, key=lambda name: median(took[name]))
    stage.figure("median of the answers to poison, s", median(each for times in took.values() for each in times))
    stage.figure("the kind that took longest, median, s", f"{slowest}: {median(took[slowest]):.3f}")


async def _flood(stage: Stage, number: int) -> None:
    """Many times more than a worker has memory for waits for one: it takes in as much as it has room for."""
    await stage.workers.stop()
    users = await stage.users()

    async def publish() -> None:
        id_ = str(uuid.uuid4())
        stage.dead.add(id_)
        frames = _HEAVY.message(stage.random.choice(users), id_, urls.login_of(stage.amqp_url)[0])
        fate = await publish_bare(stage.amqp_url, frames, answered=False)
        stage.must(fate.confirmed, f"{_HEAVY.name}: the broker did not take it: {fate.closed}")
        stage.injected("large messages that waited for one worker")

    await in_flight(_PUBLISHERS, (publish for _ in range(number)))
    workers = await stage.workers.start(1)
    async with _memory(stage, workers, "flooded"):
        await stage.recovers("large messages waited", time.monotonic())
    stage.must(stage.workers.restarts == 0, "a worker died of large messages")


async def _answer_forged_tokens(stage: Stage) -> None:
    """Commands that are in order but for the address of their reply: they are carried out."""
    await stage.workers.stop()
    workers = await stage.workers.start(2, environment={"MANA_SINGLE_BROKER_NODE": "false"})
    async with stage.load():
        for number in range(stage.size(fast=1, usual=10, nightly=50)):
            await stage.pass_time(fast=0.5, usual=1.0, nightly=1.0)
            await _use_with_forged_token(stage, f"{stage.run}:forged:{number}")
            await stage.recovers("forged token answered", time.monotonic())
    lost = sum(line.get("event") == "connection lost" for worker in workers for line in worker.lines())
    stage.must(lost, "no worker lost its connection by a forged token: this broker is not hurt by them")
    stage.injected("connections lost by a forged token", lost)
    stage.must(stage.workers.restarts == 0, "a worker died of a forged token")


async def _use_with_forged_token(stage: Stage, key: str) -> None:
    user, id_ = stage.random.choice(await stage.users()), str(uuid.uuid4())
    body = commands.body("use", user, key, 1, "chat", None)
    attempt = stage.journal.attempt(user=user, key=key, op="use", amount=1, message_id=id_, transport="bare", body=body)
    await stage.journal.synced()
    message = Poison(key, "kept", body.encode(), {"reply_to": text(forged_token(_ANOTHER_NODE))})
    fate = await publish_bare(
        stage.amqp_url, message.message(user, id_, urls.login_of(stage.amqp_url)[0]), answered=False
    )
    if fate.confirmed:
        stage.journal.confirmed(attempt.n)
    stage.injected("forged tokens of the right shape")


@asynccontextmanager
async def _memory(stage: Stage, workers: list[Worker], how: str) -> AsyncGenerator[None]:
    """Watches what the workers take while the block lasts."""
    before, peak = max(worker.rss() for worker in workers), 0

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, *(worker.rss() for worker in workers))
            await asyncio.sleep(_LOOK_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})
    stage.figure(f"memory of a worker, MB, before and {how}", f"{before / 1e6:.0f}, {peak / 1e6:.0f}")
    stage.must(peak < _MEMORY, f"a worker, {how}, came to {peak / 1e6:.0f} MB")
