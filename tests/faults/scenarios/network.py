"""S19 to S21: the network between us and RabbitMQ cuts, freezes, and is slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from tests.faults.oracle.client import Client
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.line import Direction
from tests.faults.tools.proxy import Proxy

_BYTES: Final = 3_000
"""Farther than the frames of a few commands reach."""
_CUT_SECONDS: Final = 20.0
_WAYS: Final[tuple[Direction, ...]] = ("up", "down")
_SOME: Final = 60.0


@scenario("S19", "connections cut behind the n-th byte: publish, confirm, delivery, reply, ack", recovers=5)
async def cut_anywhere(stage: Stage) -> None:
    """Whatever was under way, and whichever half of it had arrived."""
    async with Proxy.before(stage.amqp_url) as between_workers, Proxy.before(stage.amqp_url) as between_client:
        await stage.workers.start(2, amqp_url=between_workers.url(stage.workers.amqp_url))
        await stage.users()
        client = Client(between_client.url(stage.amqp_url), stage.journal, transport="amqp:cut")
        async with client, stage.load(client=client):
            for _ in range(stage.size(fast=4, usual=40, nightly=400)):
                proxy = stage.random.choice((between_workers, between_client))
                behind = stage.random.randrange(_BYTES)
                reached = proxy.limit(behind, stage.random.choice(_WAYS))
                async with asyncio.timeout(_CUT_SECONDS):
                    await reached.wait()
                stage.injected("connections cut")
                await asyncio.sleep(stage.random.uniform(0.5, 1.5))
            await stage.recovers("connection cut", time.monotonic())
        await stage.workers.stop()


@scenario("S20", "a worker's line to RabbitMQ frozen both ways", recovers=35)
async def half_open(stage: Stage) -> None:
    """Heartbeats end it, the other worker takes over, and what the frozen one sends late harms nobody."""
    seconds = stage.size(fast=30.0, usual=90.0, nightly=90.0)
    async with Proxy.before(stage.amqp_url) as proxy:
        (frozen,) = await stage.workers.start(amqp_url=proxy.url(stage.workers.amqp_url))
        await stage.workers.start()
        await stage.workers.even()
        async with stage.load():
            await stage.pass_time(fast=1.0, usual=5.0, nightly=5.0)
            proxy.freeze()
            began = time.monotonic()
            await stage.recovers("line frozen", began)
            stage.must((await frozen.share()).consuming == 0, "the frozen worker believes that it consumes")
            stage.injected("lines frozen")
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
            await proxy.restore()
            await stage.workers.even(within=_SOME)
            await stage.recovers("line whole again", time.monotonic())


@scenario("S21", "a slow network: 300 ms ± 100, 256 kbit/s, bytes in slices", recovers=5)
async def slow_network(stage: Stage) -> None:
    """Batches grow, answers are late, nothing else."""
    async with Proxy.before(stage.amqp_url) as proxy:
        await stage.workers.start(2, amqp_url=proxy.url(stage.workers.amqp_url))
        async with stage.load(100.0) as load:
            await stage.pass_time(fast=2.0, usual=15.0, nightly=60.0)
            stage.figure("p50 and p99 before, s", f"{load.percentile(0.5):.3f}, {load.percentile(0.99):.3f}")
            for name, make in _SLOWNESS.items():
                began, passed = time.monotonic(), proxy.bytes("down")
                make(proxy)
                await stage.pass_time(fast=3.0, usual=20.0, nightly=60.0)
                stage.must(proxy.bytes("down") > passed, f"nothing passed with {name}")
                stage.injected(name)
                figures = f"{load.percentile(0.5, began):.2f}, {load.percentile(0.99, began):.2f}"
                stage.figure(f"p50 and p99 with {name}, s", figures)
                await proxy.restore()
                await stage.recovers(name, time.monotonic())
        await stage.workers.stop()


_SLOWNESS: Final[dict[str, Callable[[Proxy], None]]] = {
    "delay of 300 ms, more or less by 100": lambda proxy: proxy.delay(0.3, 0.1),
    "256 kbit/s": lambda proxy: proxy.bandwidth(32_000),
    "slices of 7 bytes": lambda proxy: proxy.slice(7),
}
