"""S39: subscribers that refuse, and that are far behind."""

from __future__ import annotations

import time
from typing import Final

from bench.subscriber_queues import SubscriberQueues
from tests.faults.scenario import scenario
from tests.faults.stage import Stage

_BOUND: Final = 1_000


@scenario("S39", "a subscriber whose full queue refuses events, and one that is far behind", recovers=60)
async def bad_subscribers(stage: Stage) -> None:
    """Commands are answered as before, and everybody else gets every event."""
    behind = stage.size(fast=2_000, usual=500_000, nightly=1_000_000)
    queues = SubscriberQueues(stage.instance.env)
    full, slow = f"{stage.run}.full", f"{stage.run}.slow"
    workers = await stage.workers.start(2)
    await queues.make(full, **{"x-max-length": _BOUND, "x-overflow": "reject-publish"})
    await queues.make(slow)
    await queues.fill(full, _BOUND)
    await queues.fill(slow, behind)
    async with stage.load() as load:
        await stage.pass_time(fast=2.0, usual=60.0, nightly=300.0)
        before = load.percentile(0.5), load.percentile(0.99)
        began = time.monotonic()
        async with queues.bound(full, slow):
            await stage.pass_time(fast=4.0, usual=300.0, nightly=3_600.0)
            during = load.percentile(0.5, began), load.percentile(0.99, began)
            refused = sum([await worker.meter("mana_events_refused_total") for worker in workers])
    stage.must(refused, "the full queue refused nothing")
    stage.injected("events refused by a full queue", int(refused))
    stage.injected("messages that another subscriber was behind", behind)
    stage.figure("p50 and p99 without them, s", f"{before[0]:.4f}, {before[1]:.4f}")
    stage.figure("p50 and p99 with them, s", f"{during[0]:.4f}, {during[1]:.4f}")
    for name in (full, slow):
        await queues.drop(name)
    await stage.recovers("without them", time.monotonic())
