"""Which numbers of the security checklist (SECURITY.md) a test run has shown, and by which tests.

A test names its numbers at the beginning of its docstring, ``[16]`` or ``[2, 3]`` or ``[6] [42]``, or by the marker
``checklist``. Each run leaves a file ``checklist.json`` in its cache: what ran, and for each number its tests, with
what became of them. ``./mana test`` runs in parts, each with a cache of its own.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import pytest

from bench.machine import commit
from tests.checklist.claims import numbers_in

CACHE: Final = Path(".pytest_cache")
FILE: Final = "checklist.json"
_WORST: Final = ("passed", "skipped", "failed")

Shown = dict[int, dict[str, str]]
"""By number: each test's id, and ``passed``, ``skipped`` or ``failed``."""


def claimed_by(item: pytest.Item) -> frozenset[int]:
    """The numbers that a collected test claims."""
    numbers = numbers_in(getattr(getattr(item, "function", None), "__doc__", None))
    return numbers.union(*(mark.args for mark in item.iter_markers("checklist")))


class Run(msgspec.Struct, frozen=True):
    """A test run. ``commit`` has a ``+`` where the checkout had changes, ``command`` is pytest's."""

    at: str
    commit: str
    command: str
    shown: Shown


def together(runs: Iterable[Run]) -> Run:
    """The parts of one run as one: those of the newest one's commit. Raises ``ValueError`` where there is none."""
    by_age = sorted(runs, key=lambda run: run.at, reverse=True)
    if not by_age:
        raise ValueError("nobody has left one")
    newest = by_age[0]
    parts = [run for run in by_age if run.commit == newest.commit]
    shown: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for part in reversed(parts):
        for number, outcomes in part.shown.items():
            shown[number] |= outcomes
    command = " and ".join(dict.fromkeys(part.command for part in parts))
    return Run(newest.at, newest.commit, command, {number: shown[number] for number in sorted(shown)})


class Checklist:
    """Listens to a test run that was begun with these words."""

    def __init__(self, file: Path, words: tuple[str, ...]) -> None:
        self._file = file
        self._words = words
        self._claims: dict[str, frozenset[int]] = {}
        self._outcomes: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Notes which test claims what."""
        for item in items:
            if numbers := claimed_by(item):
                self._claims[item.nodeid] = numbers

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the worst of a test's phases."""
        known = self._outcomes.get(report.nodeid, "passed")
        self._outcomes[report.nodeid] = max(known, report.outcome, key=_WORST.index)

    def pytest_sessionfinish(self) -> None:
        """Writes what was shown."""
        if self._outcomes:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            command = shlex.join(["pytest", *self._words])
            run = Run(datetime.now(UTC).isoformat(timespec="seconds"), commit(), command, self.shown())
            self._file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")

    def shown(self) -> Shown:
        """What the tests that ran have shown, by number."""
        by_number: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for number, test in sorted(self._pairs()):
            by_number[number][test] = self._outcomes[test]
        return dict(by_number)

    def _pairs(self) -> Iterator[tuple[int, str]]:
        for test, numbers in self._claims.items():
            if test in self._outcomes:
                yield from ((number, test) for number in numbers)


def pytest_configure(config: pytest.Config) -> None:
    """Begins to listen."""
    words = tuple(map(str, config.invocation_params.args))
    file = config.rootpath / config.getini("cache_dir") / FILE
    config.pluginmanager.register(Checklist(file, words), "mana-checklist")
