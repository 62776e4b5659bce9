"""`./mana test`: what runs, side by side where that is quicker, and what its exit status says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import checks, packages

PROGRAM = """#!/bin/sh
echo "${{0##*/}} $*" >> "{log}"
echo "said by $*"
case "$*" in *{broken}*) exit 1;; esac
"""


def _nothing_is_installed(_program: str, _package: str, watch: packages.Watch) -> None:
    watch("nothing")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs that stand for the real ones write what they were asked."""
    log = tmp_path / "log"
    for name in ("ruff", "lint-imports", "python", "pyright", "pytest"):
        program = tmp_path / name
        program.write_text(PROGRAM.format(log=log, broken="nothing"))
        program.chmod(0o755)
    monkeypatch.setattr(checks, "_PROGRAMS", tmp_path)
    monkeypatch.setattr(packages, "offer", _nothing_is_installed)
    return log


def break_(log: Path, words: str) -> None:
    for program in log.parent.iterdir():
        program.write_text(PROGRAM.format(log=log, broken=words))


def test_all_checks_and_all_tests_but_the_slow_ones_run(log: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert checks.run([], everything=False) == 0
    lines = log.read_text().splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["ruff", "ruff", "lint-imports", "python"]
    beside = sorted(line.split()[0] for line in lines[4:])
    assert beside == ["pyright", *["pytest"] * 3]
    parts = [line for line in lines if line.startswith("pytest")]
    front, integration, others = sorted(parts, key=lambda line: line.count("--ignore"))
    assert front.endswith("tests/integration/api tests/stateful tests/payments tests/property")
    assert integration.endswith("--ignore=tests/integration/api tests/integration")
    assert others.endswith("--ignore=tests/payments --ignore=tests/property tests")
    assert all("-m not slow" in line for line in parts)
    said = capfdbinary.readouterr().out
    first, *rest = (said.index(b"said by " + line.partition(" ")[2].encode()) for line in (front, integration, others))
    assert all(place > first for place in rest), "what ran beside comes behind"


@pytest.mark.parametrize("words", ["format", "--ignore=tests/integration", "cache_dir=.pytest_cache/integration"])
def test_one_that_fails_keeps_none_from_running(log: Path, words: str) -> None:
    break_(log, words)
    assert checks.run([], everything=False) == 1
    assert len(log.read_text().splitlines()) == 8


def test_everything_is_the_same_with_the_slow_ones_and_then_the_front_through_a_pooler(log: Path) -> None:
    assert checks.run([], everything=True) == 0
    *beside, pooled = log.read_text().splitlines()[4:]
    assert sorted(line.split()[0] for line in beside) == ["pyright", *["pytest"] * 3]
    assert not [line for line in beside if "-m not slow" in line]
    assert pooled.startswith("pytest --pgbouncer -m not slow")


def test_chosen_tests_run_alone(log: Path) -> None:
    assert checks.run(["--", "-k", "a"], everything=False) == 0
    assert log.read_text().splitlines() == ["pytest -k a"]
