"""What is wrong with the settings is said before anything is started, and all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import foreground, packages, processes_settings
from ops.errors import LauncherError
from ops.place import Place
from ops.wish import Wish


def test_nothing_is_wrong_with_nothing_said() -> None:
    assert processes_settings.complaints() == []


def test_what_the_launcher_says_itself_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("METRICS_PORT", "REDIS_PORT", "MANA_PARTITIONS", "MANA_PROCESS_NAME", "DATABASE_URL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("METRICS_PORT", "none")
    assert processes_settings.complaints() == []


def test_all_is_said_at_once_and_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "PORT": "40000",
        "AMQP_URL": "http://h",
        "CREDITS_DAILY_FREE": "-1",
        "LOG_LEVEL": "LOUD",
        "MAIL_FROM": "nobody",
        "SECURITY_EVENTS_EXPIRY": "1d",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(packages, "ensure", pytest.fail)
    home = tmp_path / "home"
    with pytest.raises(LauncherError) as refused:
        foreground.start(Place(home), Wish(1, None), attached=True)
    said = str(refused.value)
    assert [name for name in wrong if name not in said] == []
    assert said.count("LOG_LEVEL") == 1, "three processes read it"
    assert not home.exists()


def test_servers_alone_need_no_settings_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object, **__: object) -> None:
        raise LauncherError("the servers come next")

    monkeypatch.setenv("CREDITS_DAILY_FREE", "-1")
    monkeypatch.setattr(packages, "ensure", reached)
    with pytest.raises(LauncherError, match="the servers come next"):
        foreground.start(Place(tmp_path), Wish(1, None, processes=False), attached=True)


def test_what_is_dangerous_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANA_ENVIRONMENT", "production")
    [said] = processes_settings.complaints()
    assert said.startswith("PUBLIC_URL is not https")
