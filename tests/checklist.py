"""Which numbers of the security checklist (SECURITY.md) a test run has shown, and by which tests.

A test names its numbers at the beginning of its docstring, ``[16]`` or ``[2, 3]`` or ``[6] [42]``, or by the marker
``checklist``. Each run leaves ``.pytest_cache/checklist.json``: for each number its tests, with what became of them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

FILE: Final = Path(".pytest_cache") / "checklist.json"
_NUMBERS: Final = re.compile(r"\s*((?:\[\d+(?:,\s*\d+)*\]\s*)+)")
_WORST: Final = ("passed", "skipped", "failed")

Shown = dict[int, dict[str, str]]
"""By number: each test's id, and ``passed``, ``skipped`` or ``failed``."""


def numbers_in(docstring: str | None) -> frozenset[int]:
    """The numbers that a docstring begins with; one in the middle of it is no claim."""
    match = _NUMBERS.match(docstring or "")
    return frozenset(int(number) for number in re.findall(r"\d+", match[1])) if match else frozenset()


class Checklist:
    """Listens to a test run."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._claims: dict[str, frozenset[int]] = {}
        self._outcomes: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Notes which test claims what."""
        for item in items:
            numbers = set(numbers_in(getattr(getattr(item, "function", None), "__doc__", None)))
            for mark in item.iter_markers("checklist"):
                numbers.update(mark.args)
            if numbers:
                self._claims[item.nodeid] = frozenset(numbers)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the worst of a test's phases."""
        known = self._outcomes.get(report.nodeid, "passed")
        self._outcomes[report.nodeid] = max(known, report.outcome, key=_WORST.index)

    def pytest_sessionfinish(self) -> None:
        """Writes what was shown."""
        if self._outcomes:
            self._file.parent.mkdir(exist_ok=True)
            self._file.write_text(json.dumps(self.shown(), indent=1) + "\n", encoding="utf-8")

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
    config.pluginmanager.register(Checklist(config.rootpath / FILE), "mana-checklist")
