"""Figures as Prometheus would compute them, also where a process has started again between two looks."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from ops.top.figures import NONE, by, increase, quantile, read, together, total


def exported(*answers: tuple[str, str, int], seconds: tuple[float, ...] = ()) -> Any:
    """What a process exports that has answered so many commands, by type and result."""
    registry = CollectorRegistry()
    commands = Counter("mana_commands", "m", ("type", "result"), registry=registry)
    for kind, result, number in answers:
        commands.labels(kind, result).inc(number)
    times = Histogram("mana_seconds", "m", ("type",), buckets=(0.1, 0.2, 0.4), registry=registry)
    for taken in seconds:
        times.labels("use").observe(taken)
    return read(generate_latest(registry).decode())


def test_sums_are_of_what_has_the_labels() -> None:
    figures = together([exported(("use", "ok", 3), ("use", "replayed", 1)), exported(("use", "ok", 2))])
    assert total(figures, "mana_commands_total", type="use", result="ok") == 5
    assert by(figures, "mana_commands_total", "result") == {"ok": 5, "replayed": 1}
    assert total(figures, "mana_commands_total", type="grant") is None
    assert total(NONE, "mana_commands_total") is None
    assert by(figures, "mana_commands_total", "nothing") == {}


def test_counters_of_a_process_that_started_again_count_from_its_start() -> None:
    before, later, again = (exported(("use", "ok", number)) for number in (100, 107, 4))
    assert total(increase(before, later), "mana_commands_total") == 7
    assert total(increase(later, again), "mana_commands_total") == 4
    assert total(increase(NONE, later), "mana_commands_total") == 107


@pytest.mark.parametrize(
    ("seconds", "share", "expected"),
    [
        ((0.05,) * 4, 0.5, 0.05),
        ((0.05, 0.05, 0.15, 0.15), 0.5, 0.1),
        ((0.05, 0.05, 0.15, 0.15), 0.75, 0.15),
        ((0.05, 0.3), 0.99, 0.396),
        ((9.0,), 0.5, 0.4),
        ((), 0.5, None),
    ],
)
def test_quantiles(seconds: tuple[float, ...], share: float, expected: float | None) -> None:
    found = quantile(exported(seconds=seconds), "mana_seconds", share)
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_quantile_of_one_kind_alone() -> None:
    figures = exported(seconds=(0.3,))
    assert quantile(figures, "mana_seconds", 0.5, type="use") is not None
    assert quantile(figures, "mana_seconds", 0.5, type="grant") is None
    assert quantile(figures, "mana_nothing", 0.5) is None
