"""What figures are made of: populations, CPU time, rounds, reports, and who owns a trace's requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from rich.console import Console

from bench.batches import Batches
from bench.course import Measured
from bench.cpu import Meter
from bench.ledger_goals import conclude, goals
from bench.machine import Machine
from bench.populations import one, skewed, uniform
from bench.replay.run import choose_users
from bench.results import Goal, Report, Spread
from bench.rounds import Round, to_rows

USERS = [b"%d" % number for number in range(100)]
MACHINE = Machine("a cpu", 2, 24, "6.1", "3.11", "15", "3.10", "25", {"fsync": "on"}, "abc")


def test_uniform_load_falls_on_all() -> None:
    counted = Counter(islice(uniform(USERS), 10_000))
    assert len(counted) == 100
    assert max(counted.values()) < 170


def test_skewed_load_gives_one_user_in_ten_nine_commands_in_ten() -> None:
    counted = Counter(islice(skewed(USERS), 10_000))
    busy = sum(counted[user] for user in USERS[:10])
    assert 8_800 < busy < 9_200
    assert len(counted) == 100


def test_one_user_gets_all() -> None:
    assert set(islice(one(USERS), 100)) == {USERS[0]}


def test_a_trace_has_the_same_owners_each_time_and_some_own_much() -> None:
    users = [f"user {number}" for number in range(500)]
    owners = choose_users(users, 20_000)
    assert owners == choose_users(users, 20_000)
    [(_, most)] = Counter(owners).most_common(1)
    assert most > 5 * 20_000 / 500
    assert owners[:100] == choose_users(users, 100)


def test_cpu_time_counts_children_too_also_ended_ones() -> None:
    burn = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    code = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {burn!r}]); print(); time.sleep(30)"
    with subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            assert Meter({"it": [process.pid]}).read().parts["it"] >= 0.2
        finally:
            process.kill()


def test_what_others_use_is_told_apart() -> None:
    meter = Meter({"nobody": [2**22 + 1]})
    earlier = meter.read()
    while time.process_time() < earlier.parts["generator"] + 0.2:
        pass
    later = meter.read()
    assert later.since(earlier) == {"generator": pytest.approx(0.2, abs=0.05), "nobody": 0.0}
    assert 0 <= later.elsewhere(earlier) <= (os.cpu_count() or 1)


def test_batches_are_counted_between_two_looks() -> None:
    assert Batches(14, 300).mean_since(Batches(10, 100)) == 50
    assert Batches(10, 100).mean_since(Batches(10, 100)) is None


def _round(case: str, rate: float, p50: float | None = 1.0, p99: float | None = 2.0, peak: float = 70.0) -> Round:
    measured = Measured(rate, p50, p99, int(rate), int(rate) + 5, None if p50 else 0.9)
    return Round(case, measured, {"worker": 0.5}, 0.1, 64.0, peak)


def _rounds() -> list[Round]:
    closed = {"echo": 400.0, "echo, our frames": 2000.0, "ledger": 1000.0, "ledger, skewed": 995.0}
    closed |= {"ledger, one user": 500.0}
    single = {"echo, one in flight": 2.0, "ledger, one in flight": 8.5}
    backlogs = {"echo, backlog": 500.0, "ledger, backlog": 1300.0, "two workers, backlog": 1310.0}
    return [
        each
        for extra in (0, 10, -10)
        for each in (
            *(_round(case, rate + extra) for case, rate in closed.items()),
            *(_round(case, 100.0, p50, p50 + 1) for case, p50 in single.items()),
            _round("ledger, half load", 500.0 + extra, 10.0, 50.0),
            *(_round(case, rate + extra, None, None, 140.0 - extra) for case, rate in backlogs.items()),
        )
    ]


def test_rows_are_medians_with_their_spread() -> None:
    rows = {row.name: row for row in to_rows(_rounds())}
    assert list(rows)[:2] == ["echo", "echo, our frames"]
    assert rows["echo"].per_second == Spread(400, 390, 410)
    assert rows["ledger"].cpu_us["worker"].median == pytest.approx(1e6 * 0.5 / 1000)
    assert rows["ledger"].batch == Spread(64, 64, 64)
    drained = rows["ledger, backlog"]
    assert (drained.p50_ms, drained.second_half, drained.peak_mb) == (
        None,
        Spread(0.9, 0.9, 0.9),
        Spread(140, 130, 150),
    )


def test_goals_are_judged_by_ratios_of_medians() -> None:
    judged = {goal.name: (goal.figure, goal.reached) for goal in goals(to_rows(_rounds()))}
    assert judged == {
        "ledger / echo": (2.5, True),
        "ledger / echo, both draining a backlog": (2.6, True),
        "ledger, skewed / uniform": (0.995, True),
        "ledger, one user / uniform": (0.5, False),
        "backlog, two workers / one": (1.008, True),
        "one in flight, ledger / echo, medians": (4.25, False),
        "half load, 99th percentile / median": (5.0, True),
        "largest worker at its peak, MB": (150.0, True),
    }


def test_no_fewer_allows_for_the_rounds_spread_and_for_a_tenth_at_most() -> None:
    def skew(rate: float, extra: int) -> Goal:
        rounds = [_round("ledger", 1000.0 + far) for far in (-extra, 0, extra)]
        rounds += [_round("ledger, skewed", rate) for _ in range(3)]
        [goal] = (goal for goal in goals(to_rows(rounds)) if "skewed" in goal.name)
        return goal

    assert [skew(rate, 20).reached for rate in (979, 981)] == [False, True]
    assert [skew(rate, 400).reached for rate in (899, 901)] == [False, True]


def test_only_what_was_measured_is_judged() -> None:
    rows = to_rows([_round("echo, backlog", 500.0, None, None), _round("ledger, backlog", 1000.0, None, None)])
    assert [goal.name for goal in goals(rows)] == [
        "ledger / echo, both draining a backlog",
        "largest worker at its peak, MB",
    ]


def test_what_explains_the_goals() -> None:
    assert conclude(to_rows(_rounds())) == {
        "ledger / echo, our frames": 0.5,
        "ledger / echo, by CPU time": 2.5,
        "ledger, backlog / echo, closed loop": 3.25,
        "ledger / echo, both draining, by CPU time": 2.6,
        "disturbed": "up to 0.1 cores were busy elsewhere",
    }


def test_a_report_is_kept_as_json_and_shown(tmp_path: Path) -> None:
    rows = to_rows(_rounds())
    report = Report("ledger", MACHINE, {"rounds": 3}, rows, conclude(rows), goals(rows), at="2026-01-02T03:04:05Z")
    path = report.save(tmp_path)
    assert path.name == "2026-01-02T0304-ledger.json"
    kept = json.loads(path.read_text())
    assert kept["rows"][0]["per_second"]["median"] == 400
    assert kept["goals"][0] == {"name": "ledger / echo", "figure": 2.5, "rule": "at least 2", "reached": True}
    assert kept["machine"]["cpu"] == "a cpu"
    console = Console(record=True, width=200, quiet=False, file=(tmp_path / "shown").open("w"))
    report.show(console)
    console.file.close()
    shown = (tmp_path / "shown").read_text()
    assert "ledger, skewed" in shown
    assert "missed" in shown
    assert report.status == 1
    assert replace(report, goals=[goal for goal in report.goals if goal.reached]).status == 0


def test_events_that_are_left_for_later_are_no_rate() -> None:
    row = to_rows([_round("ledger", 1000.0)])[0]
    judged = [
        goal.reached
        for share in (0.01, 0.5)
        for goal in goals([replace(row, events_behind=Spread(share, share, share))])
        if goal.name.startswith("events")
    ]
    assert judged == [True, False]
