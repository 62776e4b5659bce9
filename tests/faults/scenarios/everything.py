"""S46: a nemesis picks from all that can be done to us, again and again."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from tests.faults.nemesis import ACTS, Act, Nemesis
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.proxy import Proxy

_TWO_AT_ONCE: Final = 0.3
"""How often a second act begins with the first one."""


@scenario("S46", "a nemesis: everything above, by chance, every 5 to 20 seconds, sometimes two at once", recovers=30)
async def nemesis(stage: Stage) -> None:
    """Whatever comes together, nothing is lost, and all is well when it ends."""
    async with Proxy.before(stage.amqp_url) as proxy:
        await stage.workers.start(2)
        (distant,) = await stage.workers.start(amqp_url=proxy.url(stage.workers.amqp_url))
        await stage.start_front()
        hand = Nemesis(stage, proxy, distant)
        async with stage.load():
            ends, deck = time.monotonic() + stage.size(fast=20.0, usual=900.0, nightly=3_600.0), list[Act]()
            while time.monotonic() < ends:
                deck = deck or stage.random.sample(ACTS, len(ACTS))
                await _play(stage, hand, _chosen(stage, deck))
                pause = stage.random.uniform(5.0, 20.0)
                await asyncio.sleep(stage.size(fast=1.0, usual=pause, nightly=pause))
            await stage.recovers("all faults over", time.monotonic())
        _everything_must_have_happened(stage)
        await stage.workers.even(within=60.0)
        await stage.workers.stop()


def _chosen(stage: Stage, deck: list[Act]) -> list[Act]:
    """The next act, and now and then one more that can go on beside it. Each is played before any comes again."""
    first = deck.pop()
    if stage.random.random() >= _TWO_AT_ONCE:
        return [first]
    second = next((act for act in reversed(deck) if not act.hurts & first.hurts), None)
    if second is None:
        return [first]
    deck.remove(second)
    return [first, second]


def _everything_must_have_happened(stage: Stage) -> None:
    """The fast size is over before each act has had its turn."""
    missing = [act.name for act in ACTS if act.name not in stage.notes.injected]
    stage.must(stage.scale == "fast" or not missing, f"these never happened: {missing}")


async def _play(stage: Stage, hand: Nemesis, acts: list[Act]) -> None:
    async def one(act: Act) -> None:
        stage.injected(act.name, await act.play(hand))

    async with asyncio.TaskGroup() as group:
        for act in acts:
            group.create_task(one(act))
    stage.injected("times two at once", len(acts) - 1)
