"""docs/security-checklist.md, made from a test run and from what the tree's tests claim."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.checklist.claims import Claims
from tests.checklist.items import ABSENT, ITEMS, PARTLY
from tests.checklist.recording import Run, Shown

PAGE: Final = Path("docs") / "security-checklist.md"
_NOT_RUN: Final = "not in this run"
_OUTCOMES: Final = ("failed", "skipped", _NOT_RUN, "passed")
"""The worst first: a test with parameters is what the worst of its cases is."""

_BEFORE: Final = """\
# The security checklist, and what shows each item

Seventy defects that sign-in systems of others have had, and the tests that show that Mana does not have them. A test
claims an item by its number: in brackets at the beginning of its docstring, or by the marker `checklist`.

Made by `.venv/bin/python -m tests.checklist` from what the last test run left behind
(files `checklist.json` in `.pytest_cache`; others may be named). So after `./mana test` that one command makes the page
anew. The run of this page: `{command}` of commit {commit}, {at}.

- *passed*: every test of the item that ran has passed; in brackets how many tests those are.
- *failed*: one of them has not.
- *not in this run*: the test is one of those that take long, which only `./mana test --all` runs, or this run was of
  some tests only. Where no other test of the item ran, nothing was shown.
- *no test*: nothing shows it.
- *does not exist*: it is about a feature that Mana does not have; where Mana lacks a part of it, that stands beside the
  result.

{summary}

"""
_NAME: Final = re.compile(r"`(tests/[\w/]+\.py)`:((?:\s`\w+`(?: \([a-z ]+\))?[,;]?)+)")


def render(run: Run, claims: Claims) -> str:
    """The whole page."""
    results = {number: _result(number, outcomes_of(run.shown, claims, number)) for number in ITEMS}
    counted = Counter(result.partition(" (")[0] for result in results.values())
    summary = f"Of {len(ITEMS)} items: " + ", ".join(f"{count} *{result}*" for result, count in counted.most_common())
    lines = [_line(["", "what must not be", "result", "tests"]), _line(["---"] * 4)]
    for number, what in ITEMS.items():
        tests = outcomes_of(run.shown, claims, number)
        lines.append(_line([str(number), what, _with_lacks(number, results[number]), _named(tests)]))
    head = _BEFORE.format(command=run.command, commit=run.commit or "unknown", at=run.at, summary=summary + ".")
    return head + "\n".join(lines) + "\n"


def outcomes_of(shown: Shown, claims: Claims, number: int) -> dict[str, str]:
    """The tests of the tree that claim the item, and what each of them came to."""
    outcomes: defaultdict[str, list[str]] = defaultdict(list)
    for case, outcome in shown.get(number, {}).items():
        outcomes[case.partition("[")[0]].append(outcome)
    worst = {test: min(of_cases, key=_OUTCOMES.index) for test, of_cases in outcomes.items()}
    return {test: worst.get(test, _NOT_RUN) for test in sorted(claims.get(number, ()))}


def claims_on(page: str) -> Claims:
    """The tests that a page names, by number."""
    rows = (line.split(" | ") for line in page.splitlines() if re.match(r"\| \d+ \|", line))
    return {int(row[0].removeprefix("| ")): frozenset(_names_in(row[-1])) for row in rows}


def _names_in(cell: str) -> Iterable[str]:
    for file, tests in _NAME.findall(cell):
        yield from (f"{file}::{test}" for test in re.findall(r"`(\w+)`", tests))


def _result(number: int, tests: dict[str, str]) -> str:
    if number in ABSENT:
        return "does not exist"
    counted = Counter(tests.values())
    if counted["failed"]:
        return f"failed ({counted['failed']} of {len(tests)})"
    if counted["passed"]:
        others = "".join(f", {counted[other]} {other}" for other in ("skipped", _NOT_RUN) if counted[other])
        return f"passed ({counted['passed']}{others})"
    return next((other for other in (_NOT_RUN, "skipped") if counted[other]), "no test")


def _with_lacks(number: int, result: str) -> str:
    lack = ABSENT.get(number) or PARTLY.get(number)
    return f"{result}: {lack}" if lack else result


def _named(tests: dict[str, str]) -> str:
    """By file; what has not passed is marked."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for test, outcome in tests.items():
        file, _, name = test.partition("::")
        files[file].append(f"`{name}`" + ("" if outcome == "passed" else f" ({outcome})"))
    return "; ".join(f"`{file}`: {', '.join(names)}" for file, names in files.items())


def _line(values: Iterable[str]) -> str:
    return "| " + " | ".join(values) + " |"
