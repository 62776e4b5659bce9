"""What a test run says of the security checklist, and the page that is made of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from ops.place import CHECKOUT
from tests.checklist.claims import claims_in, numbers_in
from tests.checklist.items import ABSENT, ITEMS, PARTLY
from tests.checklist.page import PAGE, claims_on, render
from tests.checklist.recording import Checklist, Run, claimed_by, together

FILE = "tests/unit/test_x.py"


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
    checklist = Checklist(file, ("-m", "not slow"))
    checklist.pytest_collection_modifyitems(
        [_item("a", "[1, 2]."), _item("b", "No number.", 2), _item("c", "[3]."), _item("d", "Nothing.")]
    )
    for name, outcome in (("a", "passed"), ("a", "failed"), ("a", "passed"), ("b", "skipped"), ("d", "passed")):
        checklist.pytest_runtest_logreport(_report(name, outcome))
    checklist.pytest_sessionfinish()
    run = msgspec.json.decode(file.read_bytes(), type=Run)
    assert run.shown == {1: {"a": "failed"}, 2: {"a": "failed", "b": "skipped"}}, "3 did not run"
    assert run.command == "pytest -m 'not slow'"


def test_the_parts_of_a_run_are_one() -> None:
    """An earlier part of the same commit counts, unless the newer one says otherwise; another commit's does not."""
    first = Run("2026-01-02T03:04:05+00:00", "abc", "pytest a", {1: {"a": "failed", "b": "passed"}, 2: {"a": "passed"}})
    newest = Run("2026-01-02T03:04:06+00:00", "abc", "pytest c", {1: {"a": "passed"}, 3: {"c": "passed"}})
    other = Run("2026-01-02T03:04:04+00:00", "def", "pytest d", {4: {"d": "passed"}})
    run = together([first, newest, other])
    assert (run.at, run.commit, run.command) == (newest.at, "abc", "pytest c and pytest a")
    assert run.shown == {1: {"a": "passed", "b": "passed"}, 2: {"a": "passed"}, 3: {"c": "passed"}}
    with pytest.raises(ValueError, match="nobody"):
        together([])


def test_a_run_without_tests_leaves_the_last_one(tmp_path: Path) -> None:
    file = tmp_path / "checklist.json"
    file.write_text("{}")
    Checklist(file, ()).pytest_sessionfinish()
    assert file.read_text() == "{}"


def test_claims_are_read_from_the_tree(tmp_path: Path) -> None:
    """By docstring and by marker, of methods too; whoever only calls such a test claims nothing."""
    file = tmp_path / FILE
    file.parent.mkdir(parents=True)
    file.write_text(
        'async def test_a() -> None:\n    """[1]: so."""\n'
        "@pytest.mark.slow\n@pytest.mark.checklist(2, 3)\ndef test_b() -> None: ...\n"
        'class TestC:\n    def test_d(self) -> None:\n        """[3] [4]."""\n'
        'def not_a_test() -> None:\n    """[5]."""\n'
    )
    assert claims_in(tmp_path) == {
        1: {f"{FILE}::test_a"},
        2: {f"{FILE}::test_b"},
        3: {f"{FILE}::test_b", f"{FILE}::test_d"},
        4: {f"{FILE}::test_d"},
    }


def test_the_tree_says_what_a_run_collects(request: pytest.FixtureRequest) -> None:
    """Of every test of this run: no way to claim is overlooked."""
    claims = {(test, number) for number, tests in claims_in(CHECKOUT).items() for test in tests}
    collected = {item.nodeid.partition("[")[0]: claimed_by(item) for item in request.session.items}
    assert {(test, number) for test, numbers in collected.items() for number in numbers} == {
        (test, number) for test, number in claims if test in collected
    }


def _page(shown: dict[str, str], *more: str) -> str:
    """Of a run that has shown this of the first item, which ``more`` tests claim too."""
    run = Run("2026-01-02T03:04:05+00:00", "abc123", "pytest", {1: {f"{FILE}::{k}": v for k, v in shown.items()}})
    claimed = frozenset(f"{FILE}::{name.partition('[')[0]}" for name in (*shown, *more))
    return render(run, {1: claimed})


def _row(page: str, number: int) -> list[str]:
    (row,) = (line for line in page.splitlines() if line.startswith(f"| {number} |"))
    return row.removeprefix("| ").removesuffix(" |").split(" | ")


@pytest.mark.parametrize(
    ("shown", "more", "result", "tests"),
    [
        ({}, (), "no test", " "),
        ({"test_a": "passed"}, (), "passed (1)", f"`{FILE}`: `test_a`"),
        ({"test_a[x]": "passed", "test_a[y]": "passed"}, (), "passed (1)", f"`{FILE}`: `test_a`"),
        ({"test_a[x]": "passed", "test_a[y]": "failed"}, (), "failed (1 of 1)", f"`{FILE}`: `test_a` (failed)"),
        (
            {"test_a": "passed"},
            ("test_slow",),
            "passed (1, 1 not in this run)",
            f"`{FILE}`: `test_a`, `test_slow` (not in this run)",
        ),
        ({}, ("test_slow",), "not in this run", f"`{FILE}`: `test_slow` (not in this run)"),
        ({"test_a": "skipped"}, (), "skipped", f"`{FILE}`: `test_a` (skipped)"),
        (
            {"test_a": "passed", "test_b": "skipped"},
            (),
            "passed (1, 1 skipped)",
            f"`{FILE}`: `test_a`, `test_b` (skipped)",
        ),
    ],
)
def test_nothing_is_marked_as_shown_that_no_test_shows(
    shown: dict[str, str], more: tuple[str, ...], result: str, tests: str
) -> None:
    row = _row(_page(shown, *more), 1)
    assert (row[1], row[2], row[3].strip()) == (ITEMS[1], result, tests.strip())


def test_the_page_tells_what_does_not_exist_and_where_it_is_from() -> None:
    page = _page({"test_a": "passed"})
    assert "`pytest` of commit abc123, 2026-01-02T03:04:05+00:00" in page
    for number, lack in ABSENT.items():
        assert _row(page, number)[2] == f"does not exist: {lack}"
    assert _row(page, 30)[2] == f"no test: {PARTLY[30]}"
    assert claims_on(page) == {number: {f"{FILE}::test_a"} if number == 1 else set[str]() for number in ITEMS}


def test_the_items_are_seventy_and_absent_ones_have_no_tests() -> None:
    assert list(ITEMS) == list(range(1, 71))
    assert not set(ABSENT) & set(PARTLY)
    claims = claims_in(CHECKOUT)
    assert set(claims) <= set(ITEMS)
    assert not set(ABSENT) & set(claims), "the feature exists: the list says otherwise"


def test_the_page_in_docs_names_every_test_that_claims_something() -> None:
    """``python -m tests.checklist`` makes it anew."""
    page, claims = (CHECKOUT / PAGE).read_text(encoding="utf-8"), claims_in(CHECKOUT)
    assert claims_on(page) == {number: claims.get(number, frozenset()) for number in ITEMS}
    for number, what in ITEMS.items():
        assert _row(page, number)[1] == what
        assert _row(page, number)[2].startswith("no test") == (number not in {*claims, *ABSENT})
