"""What a test run says of the security checklist."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.checklist import Checklist, numbers_in


@pytest.mark.parametrize(
    ("docstring", "numbers"),
    [
        (None, set[int]()),
        ("Nothing of it.", set[int]()),
        ("[16].", {16}),
        ("[20]: a second front learns it.", {20}),
        ("[2, 3].", {2, 3}),
        ("[6] [42]: both.", {6, 42}),
        ("\n    [7]\n    More.", {7}),
        ("As [7] has it.", set[int]()),
        ("[]", set[int]()),
    ],
)
def test_numbers_stand_at_the_beginning(docstring: str | None, numbers: set[int]) -> None:
    assert numbers_in(docstring) == numbers


def _item(name: str, docstring: str, *marked: int) -> Any:
    def iter_markers(name: str) -> list[Any]:
        assert name == "checklist"
        return [SimpleNamespace(args=marked)] if marked else []

    return SimpleNamespace(nodeid=name, function=SimpleNamespace(__doc__=docstring), iter_markers=iter_markers)


def _report(name: str, outcome: str) -> pytest.TestReport:
    return cast("pytest.TestReport", SimpleNamespace(nodeid=name, outcome=outcome))


def test_a_run_is_written_down(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "checklist.json"
    checklist = Checklist(file)
    checklist.pytest_collection_modifyitems(
        [_item("a", "[1, 2]."), _item("b", "No number.", 2), _item("c", "[3]."), _item("d", "Nothing.")]
    )
    for name, outcome in (("a", "passed"), ("a", "failed"), ("a", "passed"), ("b", "skipped"), ("d", "passed")):
        checklist.pytest_runtest_logreport(_report(name, outcome))
    checklist.pytest_sessionfinish()
    assert json.loads(file.read_text()) == {"1": {"a": "failed"}, "2": {"a": "failed", "b": "skipped"}}, "3 did not run"


def test_a_run_without_tests_leaves_the_last_one(tmp_path: Path) -> None:
    file = tmp_path / "checklist.json"
    file.write_text("{}")
    Checklist(file).pytest_sessionfinish()
    assert file.read_text() == "{}"
