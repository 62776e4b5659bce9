"""`python -m bench webhooks`: how soon Stripe's webhook is answered, and where the time goes.

One front, its database, its broker; nobody takes the events from the queue but the benchmark, once a case is over: each
one that was answered 200 must be there.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import msgspec
import uvloop
from rich.console import Console

from bench.course import percentile
from bench.cpu import Meter, Reading, disturbance
from bench.errors import BenchError
from bench.frames import BrokerError, consume
from bench.http import HttpLoad, HttpLoop
from bench.machine import look
from bench.processes import running
from bench.results import Goal, Report, wide_console
from bench.rounds import Round, to_rows
from bench.steps import Histogram, histograms
from bench.stripe_events import Deliveries, templates
from contracts.topology import PAYMENTS_LOGIN, STRIPE_QUEUE
from ops.instance import Instance, private
from ops.program import Program
from ops.programs import Programs

STEADY: Final = "POST /webhooks/stripe, open loop"
CLOSED: Final = "POST /webhooks/stripe, as many as go"
SOON_SECONDS: Final = 0.050
SOON_SHARE: Final = 0.99
_PARTITIONS: Final = 4
_PREFERRED_PORT: Final = 3001
_WARM_UP_SECONDS: Final = 2.0
_SILENCE_SECONDS: Final = 1.0
_ARRIVE_SECONDS_MAX: Final = 30.0
_SECONDS: Final = "mana_stripe_webhook_seconds"


@dataclass(frozen=True)
class Options:
    """``seconds`` are measured at ``per_second``, and a quarter of them without a pause, in each round; both behind
    some seconds of warming up."""

    rounds: int
    seconds: float
    per_second: float
    connections: int


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps the figures; the exit status: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="mana bench webhooks", description="Answers to Stripe's webhooks.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--per-second", type=float, default=200.0)
    parser.add_argument("--connections", type=int, default=32)
    options, console = Options(**vars(parser.parse_args(arguments))), wide_console()
    console.print("starting a private instance")
    with private(workers=0, partitions=_PARTITIONS, name="bench", with_processes=False) as instance:
        report = uvloop.run(WebhooksBenchmark(instance, options, console).run())
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return report.status


class WebhooksBenchmark:
    """One run on an instance without processes."""

    def __init__(self, instance: Instance, options: Options, console: Console) -> None:
        self._instance = instance
        self._options = options
        self._console = console
        self._secret = f"whsec_{secrets.token_hex(16)}"
        self._latencies: dict[str, list[float]] = {STEADY: [], CLOSED: []}
        self._steps = {step: Histogram({}) for step in ("signature", "confirm", "request")}
        self._answered = 0
        self._queued = 0

    async def run(self) -> Report:
        """Raises ``BenchError`` where one request is not answered 200, or an event comes that was never sent."""
        env, home = self._instance.env, self._instance.place.home
        deliveries = Deliveries(await templates(home), self._secret)
        rounds: list[Round] = []
        program = self._front()
        async with running([program], home, "webhooks") as [pid]:
            for number in range(1, self._options.rounds + 1):
                for name, load in self._cases(deliveries):
                    rounds.append(measured := await self._measure(name, load, str(program.url), pid))
                    self._console.print(f"round {number}, {name}: {measured.measured.per_second:,.0f} per second")
                    await self._empty(deliveries)
        rows = to_rows(rounds)
        return Report(
            bench="webhooks",
            machine=await look(env),
            settings={**asdict(self._options), "bytes_mean": deliveries.bytes_mean},
            rows=rows,
            conclusions={
                **self._conclude(),
                "disturbed": disturbance(max(row.elsewhere_cores.median for row in rows)),
            },
            goals=self._goals(),
        )

    def _front(self) -> Program:
        program = Programs(self._instance.addresses, _PARTITIONS, {}).api(_PREFERRED_PORT)
        return replace(program, env={**program.env, "STRIPE_WEBHOOK_SECRET": self._secret})

    def _cases(self, deliveries: Deliveries) -> Sequence[tuple[str, HttpLoad]]:
        options = self._options
        steady = HttpLoad(options.connections, deliveries.requests(), options.seconds, per_second=options.per_second)
        closed = HttpLoad(options.connections, deliveries.requests(), options.seconds / 4)
        return (STEADY, steady), (CLOSED, closed)

    async def _measure(self, name: str, load: HttpLoad, url: str, front: int) -> Round:
        warm = await HttpLoop(replace(load, warm_up=0.0, seconds=_WARM_UP_SECONDS)).measure(url, lambda: None)
        meter, readings = Meter(self._roots(front)), list[Reading]()
        before = await histograms(url, _SECONDS, "step")
        measured = await HttpLoop(replace(load, warm_up=0.0)).measure(url, lambda: readings.append(meter.read()))
        after = await histograms(url, _SECONDS, "step")
        if name == STEADY:
            self._steps = {step: all_.plus(after[step].since(before[step])) for step, all_ in self._steps.items()}
        self._latencies[name] += measured.latencies
        self._answered += warm.answered + measured.answered
        start, end = readings
        return Round(name, measured, end.since(start), end.elsewhere(start), None)

    def _roots(self, front: int) -> dict[str, list[int]]:
        running_ones = {process.name: process.pid for process in self._instance.status.processes}
        broker = running_ones.get("rabbitmq")
        return {"api": [front], **({} if broker is None else {"rabbitmq": [broker]})}

    async def _empty(self, deliveries: Deliveries) -> None:
        """Takes all that is on the queue, and counts what was sent since the last time. Raises ``BenchError``."""
        found = await _taken(self._instance.addresses.amqp_as(PAYMENTS_LOGIN), len(deliveries.ids))
        if found.keys() - deliveries.ids or found.total() > len(found):
            raise BenchError("The queue held an event that was not sent, or one of them twice.")
        self._queued += len(found)
        deliveries.ids.clear()

    def _conclude(self) -> dict[str, Any]:
        steady = self._latencies[STEADY]
        p50, p99, p999 = (1000 * percentile(steady, share) for share in (0.5, 0.99, 0.999))
        medians = {step: 1000 * histogram.median() for step, histogram in self._steps.items()}
        return {
            f"at {self._options.per_second:,.0f} per second": f"p50 {p50:.2f} ms, p99 {p99:.2f} ms,"
            f" p99.9 {p999:.2f} ms, at most {1000 * max(steady):.2f} ms; {self._soon():.3%} under"
            f" {1000 * SOON_SECONDS:.0f} ms",
            **{
                f"of the median, {step}": f"{milliseconds:.3f} ms, {milliseconds / p50:.1%}"
                for step, milliseconds in medians.items()
            },
            "on the queue": f"{self._queued:,} of {self._answered:,} that were answered 200",
        }

    def _goals(self) -> list[Goal]:
        return [
            Goal.at_least(f"answered within {1000 * SOON_SECONDS:.0f} ms", self._soon(), SOON_SHARE),
            Goal.at_most("answered 200, and not on the queue", self._answered - self._queued, 0),
        ]

    def _soon(self) -> float:
        """The share that was answered in time, of all that were due: what was not answered when the time was over was
        late."""
        options, steady = self._options, self._latencies[STEADY]
        due = options.rounds * options.seconds * options.per_second
        return sum(each < SOON_SECONDS for each in steady) / max(due, len(steady))


class _Event(msgspec.Struct):
    id: str


async def _taken(url: str, expected: int) -> Counter[str]:
    """The events on the queue by their ids: until all are there and nothing more comes, or nothing came for long."""
    found, came, decoder = Counter[str](), asyncio.Event(), msgspec.json.Decoder(_Event)
    failures, tags = list[BrokerError](), list[int]()

    def take(tag: int, body: bytes) -> None:
        found[decoder.decode(body).id] += 1
        tags.append(tag)
        came.set()

    consumer = await consume(url, STRIPE_QUEUE, take=take, lost=failures.append, prefetch=1000)
    try:
        while not failures:
            came.clear()
            if tags:
                consumer.ack_up_to(tags.pop())
            patience = _SILENCE_SECONDS if found.total() >= expected else _ARRIVE_SECONDS_MAX
            await asyncio.wait_for(came.wait(), patience)
    except TimeoutError:
        return found
    finally:
        await consumer.close()
    raise failures[0]
