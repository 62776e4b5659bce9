"""What the commands say where the system refuses something."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ops import bootstrap, checks, cli, foreground, running, state
from ops.commands import developing
from ops.errors import LauncherError, sentence
from ops.kernel import ProcessId
from ops.place import Place
from ops.status import ProcessStatus, Status
from ops.wish import Wish


@pytest.mark.parametrize("home", ["/dev/null/x", "FILE"])
@pytest.mark.parametrize(
    "words",
    [
        ["up", "--detach"], ["status"], ["verify"], ["keys", "rotate"], ["packages", "list"], ["events", "tail"],
        ["restart", "api"], ["psql"], ["rabbitmqctl", "status"], ["redis-cli", "ping"], ["query", "up"],
    ],
)  # fmt: skip
def test_a_home_that_cannot_be_is_one_sentence(
    home: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MANA_HOME", home.replace("FILE", str(tmp_path / "file")))
    monkeypatch.setattr("sys.argv", ["mana", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, str)
    assert "MANA_HOME" in ended.value.code
    assert "\n" not in ended.value.code


@pytest.mark.parametrize("words", [["restart", "api"], ["psql"], ["redis-cli", "ping"], ["query", "up"]])
def test_where_nothing_runs_it_is_said_how_it_is_started(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["mana", *words])
    with pytest.raises(SystemExit, match=f"Nothing runs in {tmp_path}: start it with ./mana up first."):
        cli.main()


def test_a_role_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["mana", "psql", "--role", "nobody"])
    with pytest.raises(SystemExit, match="--role is one of mana_owner, "):
        cli.main()


def test_a_full_disk_is_said() -> None:
    assert sentence(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x")).startswith("The disk is full")


def test_an_environment_that_cannot_be_run_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_lock: str) -> None: ...

    monkeypatch.setattr(bootstrap, "ensure", nothing)
    monkeypatch.setattr(bootstrap, "PYTHON", Path("/nowhere/python"))
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(SystemExit, match="cannot be used"):
        bootstrap.main(["status"])


@pytest.mark.parametrize(
    ("words", "lock"), [(["test"], "dev"), (["test", "tests/unit"], "dev"), (["test", "--help"], "runtime")]
)
def test_only_tests_that_run_need_the_tests_packages(
    words: list[str], lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensured, become = list[str](), list[list[str]]()
    monkeypatch.setattr(bootstrap, "ensure", ensured.append)
    monkeypatch.setattr(bootstrap, "_become", become.append)
    bootstrap.main(words)
    assert (ensured, become) == ([lock], [words])


@pytest.mark.parametrize(
    ("words", "asked"), [([], []), (["tests/unit", "-x"], ["tests/unit", "-x"]), (["--", "-k", "a"], ["-k", "a"])]
)
def test_what_to_test_is_handed_on(words: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[list[str]]()

    def run(arguments: list[str], *, everything: bool) -> int:
        assert not everything
        told.append(arguments)
        return 0

    monkeypatch.setattr(checks, "run", run)
    monkeypatch.setattr("sys.argv", ["mana", "test", *words])
    with pytest.raises(SystemExit):
        cli.main()
    assert told == [asked]


def test_help_says_that_tests_can_be_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["mana", "test", "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "./mana test [OPTIONS] [PATH]..." in capsys.readouterr().out


def test_workers_that_were_asked_for_in_vain_are_said() -> None:
    told = Status(supervisor=ProcessId.own(), processes=[ProcessStatus(name="worker-0", url=None)])
    assert running.ignored(told, None) is None
    assert running.ignored(told, 1) is None
    assert "--workers was ignored, 1 run" in (running.ignored(told, 2) or "")


def test_programs_that_were_asked_for_or_refused_in_vain_are_said() -> None:
    told = Status(supervisor=ProcessId.own(), processes=[ProcessStatus(name="worker-0", url=None)])

    def said(*, asked: bool | None) -> str | None:
        return running.without_change(told, "monitoring", "prometheus", asked=asked)

    assert said(asked=True) == "--monitoring was ignored: ./mana down, then ./mana up --monitoring changes that."
    assert (said(asked=None), said(asked=False)) == (None, None)
    told.processes.append(ProcessStatus(name="prometheus", url=None))
    assert (said(asked=None), said(asked=True)) == (None, None)
    assert (said(asked=False) or "").startswith("--no-monitoring was ignored")


def test_tests_on_containers_are_run_alone_and_end_with_a_status_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "run_on_containers", lambda: 3)
    with pytest.raises(SystemExit) as end:
        developing.check(None, containers=True)
    assert end.value.code == 3


@pytest.mark.parametrize(
    ("words", "wished"),
    [
        ([], (3, True, True)),
        (["--workers", "2", "--no-monitoring"], (2, False, True)),
        (["--no-pgbouncer"], (3, True, False)),
    ],
)
def test_a_start_is_as_the_last_one_where_nothing_else_is_asked(
    words: list[str], wished: tuple[int, bool, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain `up` after `down` must not end who watches."""
    state.save(Place(tmp_path).state, state.State(data="", chosen=state.Chosen(3, monitored=True, pooled=True)))
    seen: list[tuple[int, bool, bool]] = []

    def note(_place: Place, wish: Wish, *, attached: bool) -> None:
        assert not attached
        seen.append((wish.workers, wish.monitored, wish.pooling is not None))
        raise LauncherError("far enough")

    monkeypatch.setattr(foreground, "start", note)
    monkeypatch.setenv("MANA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["mana", "up", "--detach", *words])
    with pytest.raises(SystemExit, match="far enough"):
        cli.main()
    assert seen == [wished]
