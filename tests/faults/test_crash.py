"""The crash points: what their specification says, when they are passed, and that none is forgotten."""

from __future__ import annotations

import ast
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.place import CHECKOUT
from tests.faults import crash
from tests.faults.crash import FRONT_POINTS, POINTS, RELAY_POINTS, WORKER_POINTS, Crash, CrashError, parse

_SHIPPED = ("contracts", "workers", "api", "migrations")


def _calls(package: str) -> Iterator[ast.Call]:
    for path in sorted((CHECKOUT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name == "crash":
                    yield node


def _names(package: str) -> set[str]:
    names: set[str] = set()
    for call in _calls(package):
        (argument,) = call.args
        assert isinstance(argument, ast.Constant), ast.unparse(call)
        names.add(str(argument.value))
    return names


def test_every_point_of_the_source_is_known_and_every_known_one_is_there() -> None:
    assert _names("workers") == set(WORKER_POINTS)
    assert _names("api") == {*FRONT_POINTS, *RELAY_POINTS}
    assert set().union(*map(_names, _SHIPPED)) == POINTS


def test_who_calls_a_point_has_it_by_that_name_at_import() -> None:
    """The launcher replaces the function before it is imported; a module that reached it otherwise would miss that."""
    for package in ("workers", "api"):
        for path in (CHECKOUT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if "crash(" in text and path.name != "crash.py":
                assert f"from {package}.crash import crash\n" in text, path


def test_a_point_is_hit_at_its_pass_only() -> None:
    points = Crash(parse("after_commit:3:raise, before_ack:1:raise"), lambda: True)
    for _ in range(2):
        points("after_commit")
        points("after_lock")
    with pytest.raises(CrashError):
        points("after_commit")
    points("after_commit")
    with pytest.raises(CrashError):
        points("before_ack")


def test_a_star_is_every_pass_and_a_sleep_holds_the_process_up() -> None:
    points = Crash(parse("before_commit:*:sleep:20"), lambda: True)
    began = time.monotonic()
    points("before_commit")
    points("before_commit")
    assert time.monotonic() - began >= 0.04


def test_what_must_have_left_the_process_is_no_pass_before_it_has() -> None:
    left = [False, True]
    points = Crash(parse("after_reply:1:raise"), lambda: left.pop(0))
    points("after_reply")
    with pytest.raises(CrashError):
        points("after_reply")


def test_kill_and_stop_are_signals_to_this_very_process(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []

    def keep(pid: int, number: int) -> None:
        sent.append((pid, number))

    monkeypatch.setattr(os, "kill", keep)
    points = Crash(parse("drain_start:1,drain_start:2:stop"), lambda: True)
    points("drain_start")
    points("drain_start")
    assert sent == [(os.getpid(), signal.SIGKILL), (os.getpid(), signal.SIGSTOP)]


def test_a_hit_is_told_before_it_happens(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CrashError):
        Crash(parse("after_lock:1:raise"), lambda: True)("after_lock")
    assert '{"event": "crash point", "point": "after_lock", "pass": 1, "action": "raise"}' in capfd.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "nowhere:1",
        "after_commit",
        "after_commit:",
        "after_commit:0",
        "after_commit:-1",
        "after_commit:²",
        "after_commit:1:explode",
        "after_commit:1:sleep",
        "after_commit:1:sleep:long",
        "after_commit:1:kill:2",
        "after_commit:1,",
    ],
)
def test_what_names_no_crash_is_refused(text: str) -> None:
    with pytest.raises(crash.SpecificationError):
        parse(text)


def test_no_shipped_module_reads_a_variable_of_the_crash_points() -> None:
    """Settings look for them to refuse them; nobody asks for a value."""
    for package in _SHIPPED:
        for path in (CHECKOUT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert "MANA_CRASH_AT" not in text, path
            assert ("MANA_CRASH_" in text) == (path in _REFUSING), path


_REFUSING: set[Path] = {CHECKOUT / "workers" / "process_settings.py", CHECKOUT / "api" / "settings.py"}
