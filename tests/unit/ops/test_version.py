"""When two checkouts are the same version."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ops import version
from ops.place import CHECKOUT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in {"api/app.py": "A = 1\n", "migrations/sql/0001_a.sql": "SELECT 1\n", "docs/page.md": ""}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "ops/lock").mkdir(parents=True)
    (tmp_path / "ops/lock/runtime.txt").write_text("one==1\n")
    return tmp_path


def test_without_git_the_digest_alone_tells_it(checkout: Path) -> None:
    told = version.of(checkout)
    assert told.commit == ""
    assert str(told) == told.digest[:12]
    assert version.of(checkout) == told


def test_a_copy_elsewhere_is_the_same(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy") / "mana"
    shutil.copytree(checkout, copy)
    assert version.of(copy).digest == version.of(checkout).digest


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ("api/app.py", "A = 2\n"),
        ("migrations/sql/0001_a.sql", ""),
        ("ops/lock/runtime.txt", "one==2\n"),
        ("api/b.py", ""),
    ],
)
def test_what_processes_are_made_of_makes_another(checkout: Path, changed: str, text: str) -> None:
    before = version.of(checkout)
    (checkout / changed).write_text(text)
    assert version.of(checkout).digest != before.digest


def test_a_name_is_part_of_it(checkout: Path) -> None:
    before = version.of(checkout)
    (checkout / "api/app.py").rename(checkout / "api/other.py")
    assert version.of(checkout).digest != before.digest


@pytest.mark.parametrize("made", ["docs/page.md", "api/__pycache__/app.pyc", "api/.app.py.swp"])
def test_what_they_are_not_made_of_does_not(checkout: Path, made: str) -> None:
    before = version.of(checkout)
    (checkout / made).parent.mkdir(exist_ok=True)
    (checkout / made).write_text("another\n")
    assert version.of(checkout).digest == before.digest


def test_a_checkout_is_told_by_its_commit() -> None:
    told = version.of(CHECKOUT)
    assert str(told) == f"{told.commit} ({told.digest[:12]})"
