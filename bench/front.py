"""`python -m bench front`: what the HTTP front answers, from a page without work to a credit that is spent."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Final

import uvloop
from rich.console import Console

from bench.accounts import GRANT_MAX
from bench.calls import APP
from bench.cpu import Meter, Reading
from bench.http import HttpLoad, HttpLoop, request
from bench.machine import look
from bench.results import Report, wide_console
from bench.rounds import Round, to_rows
from bench.signed_in import SignedIn, sign_in
from ops.instance import Instance, private

_MEASURED: Final = {
    "api": "api",
    "worker": "worker-0",
    "postgres": "postgres",
    "rabbitmq": "rabbitmq",
    "redis": "redis",
}


@dataclass(frozen=True)
class Options:
    """``seconds`` are measured for each case of each round, after a second of warming up."""

    rounds: int
    seconds: float
    users: int
    connections: int


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps the figures; the exit status."""
    parser = argparse.ArgumentParser(prog="mana bench front", description="Requests per second of the HTTP front.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--connections", type=int, default=64)
    read = parser.parse_args(arguments)
    options, console = Options(read.rounds, read.seconds, read.users, read.connections), wide_console()
    console.print("starting a private instance")
    with private(workers=1, name="bench") as instance:
        report = uvloop.run(_run(instance, options, console))
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return 0


async def _run(instance: Instance, options: Options, console: Console) -> Report:
    env, run = instance.env, secrets.token_hex(4)
    users = await sign_in(env["MANA_API_URL"], env["MANA_AMQP_URL"], options.users, run, GRANT_MAX)
    rounds: list[Round] = []
    for number in range(1, options.rounds + 1):
        for name, load in _cases(users, options, f"{run}-{number}"):
            rounds.append(measured := await _measure(instance, name, load))
            console.print(f"round {number}, {name}: {measured.measured.per_second:,.0f} per second")
    rates = {row.name: row.per_second.median for row in to_rows(rounds)}
    return Report(
        bench="front",
        machine=await look(env),
        settings=asdict(options),
        rows=to_rows(rounds),
        conclusions={
            "balance / live": round(rates["GET /credits/balance"] / rates["GET /health/live"], 3),
            "use / live": round(rates["POST /credits/use"] / rates["GET /health/live"], 3),
        },
    )


def _cases(users: list[SignedIn], options: Options, run: str) -> Iterator[tuple[str, HttpLoad]]:
    many, seconds = options.connections, options.seconds
    live = cycle([request("GET", "/health/live")])
    balance = cycle([request("GET", "/api/v1/credits/balance", user.token) for user in users])
    yield "GET /health/live", HttpLoad(many, live, seconds)
    yield "GET /credits/balance", HttpLoad(many, balance, seconds)
    yield "POST /credits/use", HttpLoad(many, _uses(users, f"{run}-many"), seconds)
    yield "POST /credits/use, one connection", HttpLoad(1, _uses(users, f"{run}-one"), seconds)


def _uses(users: list[SignedIn], run: str) -> Iterator[bytes]:
    for number, user in enumerate(cycle(users)):
        body = f'{{"amount":1,"appId":"{APP}","description":"one use","idempotencyKey":"{run}-{number}"}}'
        yield request("POST", "/api/v1/credits/use", user.token, body.encode())


async def _measure(instance: Instance, name: str, load: HttpLoad) -> Round:
    processes = {process.name: process.pid for process in instance.status.processes}
    roots = {part: [pid] for part, process in _MEASURED.items() if (pid := processes.get(process)) is not None}
    meter, readings = Meter(roots), list[Reading]()
    measured = await HttpLoop(load).measure(instance.env["MANA_API_URL"], lambda: readings.append(meter.read()))
    start, end = readings
    return Round(name, measured, end.since(start), end.elsewhere(start), None)
