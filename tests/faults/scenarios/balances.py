"""S47: subscribers that know every balance from the events alone, while all that kills comes over us and over them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final, Literal

from bench.subscriber_queues import SubscriberQueues
from tests.faults.doomed import die_at
from tests.faults.killing import Servers, kill_an_owner, kill_server
from tests.faults.oracle.eventlog import read_log
from tests.faults.oracle.events import positions
from tests.faults.oracle.load import Load
from tests.faults.oracle.mix import Mix
from tests.faults.scenario import NotPlayedError, scenario
from tests.faults.stage import Stage
from tests.faults.tools.examples import Example, Figures, in_javascript, in_pika, with_our_client
from tests.npm import MissingError

_Kill = tuple[Literal["PostgreSQL", "RabbitMQ"], float]

_MIX: Final = Mix(
    use=0.53,
    replay=0.05,
    conflict=0.03,
    insufficient=0.03,
    rest=0.05,
    poor=0.02,
    refund=0.10,
    grant=0.08,
    expiring=0.03,
    adjust=0.08,
    apps=("chat", "notes", "mail"),
)
_ONE_OF_EACH: Final[tuple[_Kill, ...]] = (("RabbitMQ", 0.4), ("PostgreSQL", 0.7))
_RABBITMQ_TWICE: Final[tuple[_Kill, ...]] = (("RabbitMQ", 0.2), ("PostgreSQL", 0.45), ("RabbitMQ", 0.7))
"""Servers to be killed, and when, as a part of the commands."""
_AWAY: Final = 0.1
"""The part of the commands that a subscriber misses, each time that it is stopped."""
_AGREED_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_PREFETCH: Final = 1_000
_LEDGER: Final = """
SELECT account_id::text AS user, sequence, balance, free_credits_remaining
FROM credits.balances WHERE account_id = ANY($1::text[]::uuid[])
"""


@scenario(
    "S47",
    "three subscribers that keep balances from events alone; workers, both servers and they themselves killed",
    recovers=10,
)
async def balances(stage: Stage) -> None:
    """Whatever dies: each of them knows every user's balance, saw no gap, and went on where it had been."""
    commands = stage.size(fast=2_000, usual=50_000, nightly=500_000)
    async with _watching(stage) as examples:
        await stage.workers.start(2)
        await stage.users(stage.size(fast=100, usual=1_000, nightly=10_000))
        course = _Course(stage, commands)
        async with stage.load(stage.size(fast=600.0, usual=400.0, nightly=400.0), mix=_MIX) as load:
            await course.run(load, examples)
        await stage.recovers("at the end", time.monotonic())
        users = (await stage.told()).users
        await _agree(stage, users, examples)
        for example in examples:
            stage.must(await example.end() == 0, f"{example.name} did not end in order")
        await _must_agree(stage, users, examples)
        await _must_have_gone_on(stage, examples)
    stage.figure("commands answered meanwhile", f"{len(load.latencies):,}")


@asynccontextmanager
async def _watching(stage: Stage) -> AsyncGenerator[list[Example]]:
    """The subscribers, there from before the first command. The fast size does without those that cannot be had."""
    queue = f"{stage.run}.balances"
    examples: list[Example] = []
    for make in (partial(in_javascript, queue), in_pika, with_our_client):
        try:
            examples.append(await asyncio.to_thread(make, stage.folder, stage.amqp_url))
        except MissingError as missing:
            if stage.scale != "fast":
                raise NotPlayedError(str(missing)) from missing
            stage.figure("one of the subscribers was not there", missing)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(SubscriberQueues(stage.instance.env).drop, queue)
        for example in examples:
            stack.push_async_callback(example.close)
        await asyncio.gather(*(example.start() for example in examples))
        yield examples


class _Course:
    """What happens when: by the part of the commands that have been answered."""

    def __init__(self, stage: Stage, commands: int) -> None:
        self._stage = stage
        self._commands = commands

    async def run(self, load: Load, examples: list[Example]) -> None:
        """Returns once all commands are answered, and all is done that was to happen meanwhile."""
        servers = Servers()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reached(load, 1.0))
            group.create_task(self._kill_workers(load, servers))
            group.create_task(self._kill_servers(load, servers))
            for number, example in enumerate(examples):
                group.create_task(self._interrupt(load, example, 0.05 * number))

    async def _reached(self, load: Load, part: float) -> None:
        while len(load.latencies) < part * self._commands:
            await asyncio.sleep(_LOOK_SECONDS)

    async def _kill_workers(self, load: Load, servers: Servers) -> None:
        """Every second one when its events have left and are not noted as told: they are told again."""
        kills = self._stage.size(fast=1, usual=8, nightly=50)
        for number in range(kills):
            await self._reached(load, (number + 0.05) / kills)
            if number % 2:
                await kill_an_owner(self._stage, servers)
            else:
                await die_at(self._stage, "after_event")

    async def _kill_servers(self, load: Load, servers: Servers) -> None:
        plan = self._stage.size(
            fast=_ONE_OF_EACH,
            usual=_RABBITMQ_TWICE,
            nightly=_RABBITMQ_TWICE,
        )
        for name, part in plan:
            await self._reached(load, part)
            await kill_server(self._stage, name, servers)

    async def _interrupt(self, load: Load, example: Example, later: float) -> None:
        """Told to end, and started again; killed, and started again."""
        await self._reached(load, 0.15 + later)
        self._stage.must(await example.end() == 0, f"{example.name} did not end in order")
        await self._start_again(load, example, 0.15 + later, "subscribers told to end, started again")
        await self._reached(load, 0.6 + later)
        await example.kill()
        await self._start_again(load, example, 0.6 + later, "subscribers killed, started again")

    async def _start_again(self, load: Load, example: Example, since: float, what: str) -> None:
        left = example.kept()
        self._stage.must(left.events, f"{example.name} had stored nothing before it was stopped")
        await self._reached(load, since + _AWAY)
        self._stage.must(example.kept() == left, f"{example.name} was not away")
        await example.start()
        self._stage.injected(what)


async def _agree(stage: Stage, users: set[str], examples: list[Example]) -> None:
    """Waits until all of them know what the ledger knows, which is to be soon."""
    until = time.monotonic() + _AGREED_SECONDS
    while time.monotonic() < until:
        ledger = await _ledger(stage, users)
        if all(example.kept().users.items() >= ledger.items() for example in examples):
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def _must_agree(stage: Stage, users: set[str], examples: list[Example]) -> None:
    ledger = await _ledger(stage, users)
    stage.must(len(ledger) >= len(await stage.users()), f"the ledger knows {len(ledger)} users")
    for example in examples:
        its = example.kept().users
        wrong = [f"{user}: {its.get(user)}, ledger {known}" for user, known in ledger.items() if its.get(user) != known]
        stage.must(not wrong, f"{example.name} has {len(wrong)} of {len(ledger)} users wrong, such as {wrong[:3]}")
    stage.figure("balances compared at each subscriber", f"{len(ledger):,}")


async def _ledger(stage: Stage, users: set[str]) -> dict[str, Figures]:
    rows: list[Any] = await stage.database.fetch(_LEDGER, list(users))
    return {row["user"]: Figures(row["sequence"], row["balance"], row["free_credits_remaining"]) for row in rows}


async def _must_have_gone_on(stage: Stage, examples: list[Example]) -> None:
    """No gap; and no more repeats than came: none of them has begun anew.

    Who reads the log by hand has met each of its entries once; our client drops what it has met. A queue gives again
    what was not acknowledged, besides what came to it twice.
    """
    log = [event for event in await read_log(stage.amqp_url, None, set(), None) if event.sequence is not None]
    once = len(positions(log))
    twice = len(log) - once
    stage.figure("events in the log, of these again", f"{len(log):,}, {twice:,}")
    for example in examples:
        kept, lives = example.kept(), example.starts + stage.notes.injected["RabbitMQ killed"]
        told = f"{kept.events:,} events, {kept.repeats:,} repeats dropped, {kept.gaps} gaps, {example.starts} starts"
        stage.figure(example.name, told)
        stage.must(not kept.gaps, f"{example.name} saw {kept.gaps} gaps: {example.complaints()[:3]}")
        if kept.place is not None:  # from the log's beginning
            stage.must(kept.events == once, f"{example.name} did not meet each event once: {told}")
        if isinstance(kept.place, int):
            stage.must(kept.repeats == twice, f"{example.name} did not read each entry once: {told}")
        most = twice + (lives * _PREFETCH if kept.place is None else 0)
        stage.must(kept.repeats <= most, f"{example.name} was to meet {most:,} repeats at most: {told}")
    stage.must(twice, "no event came twice: the run does not say what becomes of repeats")
