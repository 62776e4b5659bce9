"""What figures are made of: populations, CPU time, rounds, reports, and who owns a trace's requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from rich.console import Console

from bench.batches import Batches
from bench.course import Measured
from bench.cpu import Meter
from bench.machine import Machine
from bench.populations import skewed, uniform
from bench.replay.run import choose_users
from bench.results import Report, Spread
from bench.rounds import Round, conclude, to_rows

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
            assert Meter({"it": process.pid}).read().parts["it"] >= 0.2
        finally:
            process.kill()


def test_what_others_use_is_told_apart() -> None:
    meter = Meter({"nobody": 2**22 + 1})
    earlier = meter.read()
    while time.process_time() < earlier.parts["generator"] + 0.2:
        pass
    later = meter.read()
    assert later.since(earlier) == {"generator": pytest.approx(0.2, abs=0.05), "nobody": 0.0}
    assert 0 <= later.elsewhere(earlier) <= (os.cpu_count() or 1)


def test_batches_are_counted_between_two_looks() -> None:
    assert Batches(14, 300).mean_since(Batches(10, 100)) == 50
    assert Batches(10, 100).mean_since(Batches(10, 100)) is None


def _round(case: str, rate: float, cpu: float, batch: float | None = None) -> Round:
    return Round(case, Measured(rate, 1.0, 2.0, int(rate), int(rate) + 5), {"worker": cpu}, 0.1, batch)


def _rounds() -> list[Round]:
    cases = {"echo": 1000.0, "echo, our frames": 400.0, "ledger": 800.0, "ledger, skewed": 900.0}
    return [_round(case, rate + extra, 0.5, 64.0) for extra in (0, 10, -10) for case, rate in cases.items()]


def test_rows_are_medians_with_their_spread() -> None:
    echo, _, ledger, _ = to_rows(_rounds())
    assert echo.per_second == Spread(1000, 990, 1010)
    assert ledger.cpu_us["worker"].median == pytest.approx(1e6 * 0.5 / 800)
    assert ledger.batch == Spread(64, 64, 64)


def test_goals_are_judged_by_ratios_of_medians() -> None:
    conclusions = conclude(_rounds())
    assert conclusions["ledger / echo"] == 0.8
    assert conclusions["goal"].endswith("reached")
    assert conclusions["ledger / echo, our frames"] == 2.0
    assert conclusions["ledger / echo, by CPU time"] == 0.8
    assert conclusions["disturbed"] == "up to 0.1 cores were busy elsewhere"
    assert conclusions["skewed / uniform"] == 1.125


def test_a_report_is_kept_as_json_and_shown(tmp_path: Path) -> None:
    report = Report(
        "ledger", MACHINE, {"rounds": 3}, to_rows(_rounds()), conclude(_rounds()), at="2026-01-02T03:04:05Z"
    )
    path = report.save(tmp_path)
    assert path.name == "2026-01-02T0304-ledger.json"
    kept = json.loads(path.read_text())
    assert kept["rows"][0]["per_second"]["median"] == 1000
    assert kept["machine"]["cpu"] == "a cpu"
    console = Console(record=True, width=160, quiet=False, file=(tmp_path / "shown").open("w"))
    report.show(console)
    console.file.close()
    assert "ledger, skewed" in (tmp_path / "shown").read_text()
