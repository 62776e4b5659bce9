"""`python -m bench overload`: three times what the ledger can do arrives for a minute, then half of what it can do.

One worker. Its capacity is measured in a closed loop; the overload, and the load behind it, is an open loop. What does
not fit into the queues is refused by the broker (`overloaded`); all that was accepted must be answered in the end.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.table import Table

from bench.cpu import disturbance
from bench.machine import look
from bench.overload_course import AFTERWARDS, OVER, Course, Options, Overload
from bench.overload_curve import QUICK_SECONDS, WINDOW_SECONDS, Window, seconds_to_recover, windows
from bench.results import Goal, Report, wide_console
from bench.rounds import to_rows
from contracts.topology import PARTITIONS_DEFAULT, QUEUE_LENGTH_DEFAULT
from ops.instance import Instance, private

RECOVERY_SECONDS: Final = 60.0
"""Within which answers shall be quick again."""
_OFFERED_ENOUGH: Final = 0.95


def main(arguments: list[str]) -> int:
    """Measures, prints, keeps the figures; the exit status: 1 where a goal was missed."""
    options, console = _read_options(arguments), wide_console()
    console.print("starting a private instance")
    with private(workers=0, name="bench", with_processes=False) as instance:
        report, curve = uvloop.run(measure(instance, options, console))
    report.show(console)
    console.print(_table(curve))
    console.print(f"kept in {report.save().name}")
    return report.status


def _read_options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="mana bench overload", description="Three times the capacity, and its end.")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the overload (60)")
    parser.add_argument("--afterwards", type=float, default=90.0, help="length of the half load behind it (90)")
    parser.add_argument("--users", type=int, default=10_000, help="accounts that the load falls on (10000)")
    parser.add_argument("--in-flight", type=int, default=512, help="under way while the capacity is measured (512)")
    parser.add_argument("--connections", type=int, default=8, help="from which the load comes (8)")
    parser.add_argument("--queue-length", type=int, help=f"bound of each partition ({QUEUE_LENGTH_DEFAULT})")
    parser.add_argument("--batch-max", type=int, help="a slower worker, with shorter queues (the worker's own)")
    read = parser.parse_args(arguments)
    options = Options(**vars(read))
    if min(figure for figure in asdict(options).values() if figure is not None) <= 0:
        parser.error("every figure must be above 0")
    return options


async def measure(instance: Instance, options: Options, console: Console) -> tuple[Report, Curve]:
    """The report, and the curve that it holds under `more`. Raises ``BenchError``."""
    course = await Overload(instance, options, console).run()
    curve = Curve(windows(course.arrivals, course.over), windows(course.arrivals, course.after))
    report = Report(
        bench="overload",
        machine=await look(instance.env),
        settings=asdict(options),
        rows=to_rows(course.capacity),
        conclusions=_conclude(course, curve, options),
        goals=_goals(course, curve),
        more=asdict(curve),
    )
    return report, curve


@dataclass(frozen=True)
class Curve:
    """The windows of the overload, and those behind it."""

    over: list[Window]
    after: list[Window]


def _conclude(course: Course, curve: Curve, options: Options) -> dict[str, Any]:
    over, arrivals = course.over, course.arrivals
    bound = PARTITIONS_DEFAULT * course.queue_length
    offered = _offered(course)
    goodput = median(window.answers for window in curve.over) / WINDOW_SECONDS
    told = {
        "capacity": f"{course.per_second:,.0f} commands per second, closed loop"
        + (f", by batches of at most {options.batch_max}" if options.batch_max else ""),
        "offered": f"{(over.last - over.first) / (over.ends - over.begins):,.0f} per second for"
        f" {over.ends - over.begins:.0f} s: {offered:.2f} times the capacity",
        "then": f"{AFTERWARDS * course.per_second:,.0f} per second, {course.after.missing:,} of them not sent",
        "arrived, refused as overloaded, accepted, answered": f"{len(arrivals):,}, {arrivals.refused:,},"
        f" {len(arrivals) - arrivals.refused:,}, {arrivals.answered:,}",
        "answers in the overload": f"{goodput:,.0f} per second: {goodput / course.per_second:.2f} of the capacity",
        "bound": f"{bound:,} commands: {bound / course.per_second:.1f} s of the capacity",
        "held at most": f"{course.held.commands:,} commands in the queues; the broker's memory"
        f" {course.held.memory_mb:,.0f} MB, its data {course.held.disk_mb:,.0f} MB",
    }
    told["disturbed"] = disturbance(max(course.elsewhere, *(each.elsewhere for each in course.capacity)))
    if offered < _OFFERED_ENOUGH * OVER:
        told["note"] = (
            f"the broker took no more than {offered:.2f} times the capacity from us; with --batch-max the worker is"
            f" slowed down, so that {OVER:.0f} times its capacity can be offered"
        )
    return told


def _offered(course: Course) -> float:
    over = course.over
    return (over.last - over.first) / (over.ends - over.begins) / course.per_second


def _goals(course: Course, curve: Curve) -> list[Goal]:
    arrivals = course.arrivals
    accepted = len(arrivals) - arrivals.refused
    recovered = seconds_to_recover(curve.after)
    quick = f" s until the p99 of {WINDOW_SECONDS:.0f} s is under {QUICK_SECONDS:.0f} s for good, refusals counting"
    return [
        Goal.at_least("offered, times the capacity", _offered(course), _OFFERED_ENOUGH * OVER),
        Goal.at_least("refused, of all that arrived", arrivals.refused / len(arrivals), 0.001),
        Goal.at_least("answered, of all that was accepted", arrivals.answered / accepted, 1),
        Goal.at_most("answers quick again", recovered, RECOVERY_SECONDS, quick),
    ]


def _table(curve: Curve) -> Table:
    table = Table(title=f"by {WINDOW_SECONDS:.0f} s; p99 of what arrived then, none where more than 1 % was refused")
    for heading in ("", "from s", "arrived", "refused", "answers", "answers per second", "p99 ms"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, part in (("overload", curve.over), ("half load", curve.after)):
        for window in part:
            figures = (window.begins, window.arrivals, window.refused, window.answers, window.answers / WINDOW_SECONDS)
            p99 = "-" if window.p99_ms is None else f"{window.p99_ms:,.0f}"
            table.add_row(name, *(f"{figure:,.0f}" for figure in figures), p99)
    return table
