"""Installing what is missing, with an apt that only notes what it is asked."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ops import packages
from ops.errors import LauncherError
from ops.settings import Settings


def silent(_line: str) -> None: ...


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What apt was asked; the machine is root's, and has apt."""
    calls: list[list[str]] = []

    def note(arguments: list[str], _watch: packages.Watch) -> None:
        calls.append(arguments)

    def put_to_rest(_service: str, _port: int, *, busy_before: bool) -> None: ...

    def which(program: str) -> str | None:
        return "/usr/bin/apt-get" if program == "apt-get" else None

    monkeypatch.setattr(packages, "_apt", note)
    monkeypatch.setattr(packages, "_put_to_rest", put_to_rest)
    monkeypatch.setattr(packages, "_POLICY", tmp_path / "policy")
    monkeypatch.setattr(packages, "_LOCK", tmp_path / "lock")
    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages.shutil, "which", which)
    return calls


def looks(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    left = list(answers)

    def missing(_settings: Settings) -> list[str]:
        return left.pop(0)

    monkeypatch.setattr(packages, "missing", missing)


def test_what_is_missing_is_installed_and_the_policy_goes(
    asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks(monkeypatch, ["redis-server"], ["redis-server"])
    packages.ensure(Settings(), silent)
    assert [words[-1] for words in asked] == ["update", "redis-server"]
    assert not (tmp_path / "policy").exists()


def test_what_another_start_installed_meanwhile_is_not_installed_again(
    asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks(monkeypatch, ["redis-server"], [])
    packages.ensure(Settings(), silent)
    assert asked == []


def test_only_one_installs_at_a_time(asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks(monkeypatch, ["redis-server"], ["redis-server"])

    def note(arguments: list[str], _watch: packages.Watch) -> None:
        other = os.open(tmp_path / "lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
        asked.append(arguments)

    monkeypatch.setattr(packages, "_apt", note)
    packages.ensure(Settings(), silent)
    assert len(asked) == 2


def test_what_is_merely_useful_never_fails(asked: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    packages.offer("curl", "curl", silent)
    assert asked[-1][-1] == "curl"

    def fail(_arguments: list[str], _watch: packages.Watch) -> None:
        raise LauncherError("no network")

    monkeypatch.setattr(packages, "_apt", fail)
    said = list[str]()
    packages.offer("curl", "curl", said.append)
    assert said[-1] == "curl could not be installed: no network"

    def nothing(_program: str) -> None: ...

    monkeypatch.setattr(packages.shutil, "which", nothing)
    packages.offer("curl", "curl", said.append)
    assert len(said) == 2


def test_what_only_some_instances_need_is_installed_where_it_is_missing(
    asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    packages.require("prometheus", "prometheus", silent)
    assert [words[-1] for words in asked] == ["update", "prometheus"]

    def everything(program: str) -> str:
        return f"/usr/bin/{program}"

    monkeypatch.setattr(packages.shutil, "which", everything)
    packages.require("prometheus", "prometheus", silent)
    assert len(asked) == 2


def test_what_some_need_is_asked_of_an_administrator_where_we_are_none(
    asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    with pytest.raises(LauncherError, match="apt-get install prometheus"):
        packages.require("prometheus", "prometheus", silent)
    assert asked == []
