"""`python -m bench auth`: sign-ins by what Argon2id alone can do, and what else is served meanwhile; tokens validated
and sessions refreshed, beside the least that each can cost."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import asdict

import uvloop
from rich.console import Console

from api.settings_sign_in import half_the_cores
from bench.accounts import GRANT_MAX
from bench.auth_cases import AuthCases, Measuring, Options
from bench.auth_goals import conclude, goals
from bench.cpu import Meter, Reading
from bench.machine import look
from bench.results import Report, wide_console
from bench.rounds import Round, to_rows
from bench.signed_in import sign_in
from ops.instance import Instance, private


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps the figures; the exit status: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="mana bench auth", description="Sign-ins, tokens, and readers meanwhile.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--threads", type=int, default=half_the_cores(), help="that compute hashes (half the cores)")
    parser.add_argument("--logins", type=int, default=8, help="under way for each of those threads (8)")
    parser.add_argument("--connections", type=int, default=64, help="for all other requests (64)")
    options, console = Options(**vars(parser.parse_args(arguments))), wide_console()
    if options.users < max(options.connections, options.logins_at_once):
        parser.error("each connection needs a user of its own")
    console.print("starting a private instance")
    # No session makes room for those that are begun here: each is refreshed from the first round to the last.
    environment = {"PASSWORD_HASH_THREADS": str(options.threads), "SESSIONS_MAX": "1000"}
    with private(workers=1, name="bench", environment=environment) as instance:
        report = uvloop.run(measure(instance, options, console))
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return report.status


async def measure(instance: Instance, options: Options, console: Console) -> Report:
    """On an instance whose front computes hashes in as many threads. Raises ``BenchError``."""
    env = instance.env
    users = await sign_in(env["MANA_API_URL"], env["MANA_AMQP_URL"], options.users, secrets.token_hex(4), GRANT_MAX)
    rounds: list[Round] = []
    async with AuthCases.connected(instance, users, options) as cases:
        for number in range(1, options.rounds + 1):
            for measuring in cases.of_a_round():
                for measured in await _measure(instance, measuring):
                    rounds.append(measured)
                    console.print(f"round {number}, {measured.case}: {measured.measured.per_second:,.0f} per second")
    machine, rows = await look(env), to_rows(rounds)
    return Report(
        bench="auth",
        machine=machine,
        settings=asdict(options),
        rows=rows,
        conclusions=conclude(rows),
        goals=goals(rows, machine.cores, options.threads),
    )


async def _measure(instance: Instance, measuring: Measuring) -> list[Round]:
    meter, readings = Meter(_roots(instance)), list[Reading]()
    measured = await measuring(lambda: readings.append(meter.read()))
    start, end = readings
    cpu = end.since(start) if len(measured) == 1 else {}
    return [Round(name, each, cpu, end.elsewhere(start), None) for name, each in measured.items()]


def _roots(instance: Instance) -> dict[str, list[int]]:
    """Whoever serves a request, by name, and all others together."""
    running = {process.name: process.pid for process in instance.status.processes if process.pid is not None}
    served = {name: [running.pop(name)] for name in ("api", "postgres", "redis")}
    return {**served, "others": list(running.values())}
