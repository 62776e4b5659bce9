"""One scenario from its first worker to its verdict: played under load, brought to rest, resolved, judged."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ops.instance import Instance
from tests.faults.oracle.dead import empty_dead
from tests.faults.oracle.judge import Case, Verdict, judge
from tests.faults.oracle.subscribing import subscribed
from tests.faults.scenario import NotPlayedError, Scale, Scenario
from tests.faults.stage import Notes, Stage

WITHIN: Final = 120.0
"""Seconds that are given to what must come about, unless told otherwise."""
_BUSY: Final = 4.0
"""So many times as long may a recovery take at the fast scale, which is played while the machine does other things."""


class Played(Struct, frozen=True):
    """What one run of a scenario came to."""

    id: str
    title: str
    scale: Scale
    seed: int
    seconds: float
    injected: dict[str, int]
    attempts: int
    acknowledged: int
    refused: int
    not_accepted: int
    unknown: int
    lost: int
    doubled: int
    order_broken: int
    recoveries: dict[str, list[float]]
    recovers: float
    figures: dict[str, str]
    violations: list[str]
    not_played: bool = False
    """Whether this machine lacks what it takes: nothing is known of it then, and it has not passed."""
    events_missing: int = 0
    events_out_of_order: int = 0
    in_time: dict[str, bool] = {}
    """By kind of fault: whether each recovery took no longer than is allowed. Nothing in a row of the older form."""

    @property
    def clean(self) -> bool:
        """Whether every equation held, and something was injected at all."""
        return not self.violations and not self.not_played


async def play(instance: Instance, scenario: Scenario, scale: Scale, seed: int, folder: Path) -> Played:
    """Plays a scenario on a private instance without workers. Files of the run go to ``folder``, an empty one.

    Raises what the tools raise where a fault could not be injected at all.
    """
    began = time.monotonic()
    stage = Stage(instance, scenario, scale, seed, folder)
    try:
        verdict = await judged(stage, seed)
    except NotPlayedError as missing:
        return _unjudged(stage, seed, 0.0, violations=[f"not played: {missing}"], not_played=True)
    return _played(stage, seed, time.monotonic() - began, verdict)


async def judged(stage: Stage, seed: int, within: float = WITHIN) -> Verdict:
    """What the oracle says of the play on this stage; raises as ``play``.

    ``within``: so many seconds it waits for what may not come at all.
    """
    since = time.time()
    await empty_dead(stage.amqp_url)
    async with AsyncExitStack() as stack:
        stage.subscriber = await stack.enter_async_context(
            subscribed(stage.amqp_url, stage.database_url, stage.folder / "events.jsonl")
        )
        stack.push_async_callback(stage.workers.stop)
        stack.push_async_callback(stage.front.stop)
        await stage.broker.settle()
        async with stage.client:
            await stage.scenario.play(stage)
            if not stage.workers.present:
                await stage.workers.start()
        return await judge(_case(stage, since, seed, within))


def _case(stage: Stage, since: float, seed: int, within: float) -> Case:
    return Case(
        journal=stage.journal,
        subscriber=stage.subscriber,
        amqp_url=stage.amqp_url,
        management_url=stage.instance.addresses.management,
        database_url=stage.database_url,
        partitions=stage.scenario.partitions,
        since=since,
        expected_dead=frozenset(stage.dead),
        dead_again=stage.dead_again,
        ordered=stage.ordered,
        refusals_kept=stage.refusals_kept,
        repeated=stage.scenario.repeated,
        seed=seed,
        within=within,
        quiet=stage.size(fast=1.0, usual=5.0, nightly=5.0),
    )


def _played(stage: Stage, seed: int, seconds: float, verdict: Verdict) -> Played:
    violations = [*stage.notes.broken, *(str(verdict).splitlines() if not verdict.clean else ())]
    if not stage.notes.injected:
        violations.append("nothing was injected: the run says nothing")
    violations += unmeasured(stage.notes)
    violations += too_slow(stage.notes, stage.scenario.recovers, _BUSY if stage.scale == "fast" else 1.0)
    return replace(
        _unjudged(stage, seed, seconds, violations=violations),
        attempts=verdict.attempts,
        acknowledged=verdict.acknowledged,
        refused=verdict.refused,
        not_accepted=verdict.not_accepted,
        unknown=verdict.unknown,
        lost=verdict.lost,
        doubled=verdict.doubled,
        order_broken=verdict.order_broken,
        events_missing=verdict.events_missing,
        events_out_of_order=verdict.events_out_of_order,
    )


def unmeasured(notes: Notes) -> list[str]:
    """What is to be said where no time was noted."""
    return [] if notes.recoveries else ["no recovery was measured: the run does not say how long one takes"]


def too_slow(notes: Notes, recovers: float, times_as_long: float = 1.0) -> list[str]:
    """What is to be said against the times that were noted; ``recovers`` in seconds."""
    return [
        f"{what}: all partitions answered after {max(times):.1f} s at most, {allowed:.0f} s are allowed"
        for what, times in notes.recoveries.items()
        if max(times) > (allowed := times_as_long * notes.allowed.get(what, recovers))
    ]


def _unjudged(stage: Stage, seed: int, seconds: float, *, violations: list[str], not_played: bool = False) -> Played:
    """What the scenario told of itself, without any counts."""
    notes, scenario = stage.notes, stage.scenario
    return Played(
        id=scenario.id,
        title=scenario.title,
        scale=stage.scale,
        seed=seed,
        seconds=round(seconds, 1),
        injected=notes.injected,
        attempts=0,
        acknowledged=0,
        refused=0,
        not_accepted=0,
        unknown=0,
        lost=0,
        doubled=0,
        order_broken=0,
        recoveries={what: [round(each, 2) for each in times] for what, times in notes.recoveries.items()},
        recovers=scenario.recovers,
        figures=notes.figures,
        violations=violations,
        not_played=not_played,
        in_time={
            what: max(times) <= notes.allowed.get(what, scenario.recovers) for what, times in notes.recoveries.items()
        },
    )
