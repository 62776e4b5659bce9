"""S19 to S21: the network between us and RabbitMQ cuts, freezes, and is slow."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Final

from contracts.topology import EVENTS_EXCHANGE
from tests.faults.oracle.client import Client
from tests.faults.oracle.load import Load
from tests.faults.oracle.outcomes import codes
from tests.faults.scenario import scenario
from tests.faults.stage import Stage
from tests.faults.tools.line import Direction
from tests.faults.tools.proxy import Proxy
from tests.faults.tools.steps import Step
from tests.faults.tools.workers import Worker

_PUBLISH: Final = (60, 40)
_DELIVER: Final = (60, 60)
_ACK: Final = (60, 80)
_TO_A_QUEUE: Final = b"\0\0\0"
_TO_EVENTS: Final = b"\0\0" + len(EVENTS_EXCHANGE).to_bytes(1, "big") + EVENTS_EXCHANGE.encode()
_STEPS: Final[dict[str, tuple[str, Direction, tuple[int, int], bytes]]] = {
    "a command's publish": ("client", "up", _PUBLISH, b""),
    "its confirm": ("client", "down", _ACK, b""),
    "its delivery": ("worker", "down", _DELIVER, b""),
    "its reply": ("worker", "up", _PUBLISH, _TO_A_QUEUE),
    "its reply's delivery": ("client", "down", _DELIVER, b""),
    "its ack": ("worker", "up", _ACK, b""),
    "its event": ("worker", "up", _PUBLISH, _TO_EVENTS),
    "its event's confirm": ("worker", "down", _ACK, b""),
}
"""Whose line, which way, and how the step begins: the method, and its first arguments (the exchange)."""
_CUT_SECONDS: Final = 20.0
_SOME: Final = 60.0
_RATE: Final = 100.0
_BANDWIDTH: Final = 32_000
_DELAY: Final = "delay of 300 ms, more or less by 100"
_BUNCHED: Final = 2.0
"""Commands of a batch that are more than come by themselves: 1.3 on an idle machine, 3 with the delay, whose jitter
lets some wait for others. Not compared with the run's own before: a busy machine makes batches too."""
_MAY: Final = {"acknowledged", "pending", "overloaded"}


@scenario("S19", "connections cut behind the n-th byte of each step, n swept", recovers=5)
async def cut_anywhere(stage: Stage) -> None:
    """Whatever was under way, and whichever half of it had arrived."""
    async with Proxy.before(stage.amqp_url) as between_workers, Proxy.before(stage.amqp_url) as between_client:
        await stage.workers.start(2, amqp_url=between_workers.url(stage.workers.amqp_url))
        await stage.users()
        client = Client(between_client.url(stage.amqp_url), stage.journal, transport="amqp:cut")
        async with client, stage.load(client=client):
            proxies = {"client": between_client, "worker": between_workers}
            times = stage.size(fast=2, usual=12, nightly=100)
            cuts = [(name, (number + stage.random.random()) / times) for name in _STEPS for number in range(times)]
            stage.random.shuffle(cuts)
            passed: defaultdict[str, list[int]] = defaultdict(list)
            for name, part in cuts:
                whose, direction, method, arguments = _STEPS[name]
                step = Step(method, part, arguments)
                proxies[whose].cut_in(step, direction)
                async with asyncio.timeout(_CUT_SECONDS):
                    await step.reached.wait()
                cut = time.monotonic()
                stage.injected(f"cuts in {name}")
                passed[name].append(step.size)
                await stage.recovers("connection cut", cut)
                await asyncio.sleep(stage.random.uniform(0.0, 0.5))
        for name, sizes in passed.items():
            stage.figure(f"bytes of {name} that passed", f"{min(sizes)} to {max(sizes)}")
            stage.must(len(set(sizes)) > 1, f"{name} was always cut behind the same byte")
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


@scenario("S21", "a slow network: 300 ms ± 100, 256 kbit/s, bytes in slices, and all of it", recovers=5)
async def slow_network(stage: Stage) -> None:
    """Everybody's line to RabbitMQ: batches grow, answers are late or a 202, nothing else."""
    async with Proxy.before(stage.amqp_url) as proxy:
        workers = await stage.workers.start(2, amqp_url=proxy.url(stage.workers.amqp_url))
        await stage.start_front(amqp_url=proxy.url(stage.front.amqp_url))
        client = Client(proxy.url(stage.amqp_url), stage.journal, transport="amqp:slow")
        async with client, stage.load(_RATE, client=client) as load:
            before = await _settled(workers)
            await stage.pass_time(fast=3.0, usual=15.0, nightly=60.0)
            usual = _mean(before, await _settled(workers))
            stage.figure("p50 and p99 before, s", f"{load.percentile(0.5):.3f}, {load.percentile(0.99):.3f}")
            stage.figure("commands of a batch before", usual)
            batches, times = dict[str, float](), dict[str, tuple[float, float]]()
            for name, make in _SLOWNESS.items():
                batches[name] = await _slow(stage, load, proxy, workers, name, make, times)
        told, answers = await stage.told(), Counter[str]()
        for name, (since, over) in times.items():
            those = codes(told, "rest", since, over)
            answers.update(those)
            stage.figure(f"answers over REST with {name}", ", ".join(f"{code} ({n})" for code, n in those.items()))
        stage.must(batches[_DELAY] > _BUNCHED, f"late bytes made no batches: {usual:.2f}, {batches[_DELAY]:.2f}")
        stage.must(answers["pending"], f"over REST nobody's deadline passed: {answers}")
        stage.must(answers.keys() <= _MAY, f"over REST: {answers}")
        await stage.workers.stop()
        await stage.front.stop()


async def _slow(
    stage: Stage,
    load: Load,
    proxy: Proxy,
    workers: list[Worker],
    name: str,
    make: Callable[[Proxy], None],
    times: dict[str, tuple[float, float]],
) -> float:
    began, since, passed = time.monotonic(), time.time(), proxy.bytes("down")
    before = await _settled(workers)
    make(proxy)
    await stage.pass_time(fast=6.0, usual=20.0, nightly=60.0)
    batches = _mean(before, await _settled(workers))
    stage.must(proxy.bytes("down") > passed, f"nothing passed with {name}")
    stage.injected(name)
    stage.figure(
        f"p50 and p99 with {name}, s", f"{load.percentile(0.5, began):.2f}, {load.percentile(0.99, began):.2f}"
    )
    stage.figure(f"commands of a batch with {name}", batches)
    until = time.time()
    await proxy.restore()
    await stage.recovers(name, time.monotonic())
    times[name] = (since, until)
    return batches


async def _settled(workers: list[Worker]) -> tuple[float, float]:
    """Batches so far, and the commands in them."""
    told = [await worker.meters() for worker in workers]
    return sum(one["mana_batch_commands_count"] for one in told), sum(one["mana_batch_commands_sum"] for one in told)


def _mean(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Commands of each batch between two looks; 0 where there was none."""
    batches = after[0] - before[0]
    return (after[1] - before[1]) / batches if batches else 0.0


def _all(proxy: Proxy) -> None:
    proxy.delay(0.3, 0.1)
    proxy.bandwidth(_BANDWIDTH)
    proxy.slice(64)


_SLOWNESS: Final[dict[str, Callable[[Proxy], None]]] = {
    _DELAY: lambda proxy: proxy.delay(0.3, 0.1),
    "256 kbit/s": lambda proxy: proxy.bandwidth(_BANDWIDTH),
    "slices of 7 bytes": lambda proxy: proxy.slice(7),
    "all of it": _all,
}
