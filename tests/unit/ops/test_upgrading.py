"""What is looked at before a running place goes to another version."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import running, trying, upgrading
from ops.kernel import ProcessId
from ops.place import Place
from ops.servers import alertmanager
from ops.status import Status
from ops.wish import Wish

TOLD = Status(supervisor=ProcessId.own())
WISH = Wish(workers=1, partitions=None)


@pytest.fixture(autouse=True)
def given_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of ours has to be installed."""
    for name, value in {"DATABASE_URL": "postgres://h", "AMQP_URL": "amqp://h", "REDIS_URL": "redis://h"}.items():
        monkeypatch.setenv(name, value)


def test_settings_that_differ_from_those_of_the_start_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in upgrading.differing_settings(TOLD):
        monkeypatch.delenv(name)
    assert running.unheard(TOLD) is None
    for name, value in {"SMTP_URL": "smtp://mail", "CREDITS_DAILY_FREE": "6", "RATE_LIMIT_TTL": ""}.items():
        monkeypatch.setenv(name, value)
    for name in ("MANA_HOME", "OF_NOBODY"):
        monkeypatch.setenv(name, "another")
    assert upgrading.differing_settings(TOLD) == ["CREDITS_DAILY_FREE", "SMTP_URL"]
    assert "./mana up changes CREDITS_DAILY_FREE, SMTP_URL." in (running.unheard(TOLD) or "")


def test_this_version_could_take_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (trying.main(Place(tmp_path), WISH), capsys.readouterr().out) == (0, "")


def test_what_was_left_must_be_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path)
    place.handover.write_text("{}")
    assert trying.main(place, WISH) == 1
    assert "is not understood" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["status.json", "state.json"])
def test_what_is_remembered_must_be_understood(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_text("{}")
    assert trying.main(Place(tmp_path), WISH) == 1
    assert name in capsys.readouterr().out


def test_a_program_that_is_missing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertmanager, "PROGRAM", "no-such-program")
    assert trying.main(Place(tmp_path), Wish(workers=1, partitions=None, monitored=True)) == 1
    assert "apt-get install" in (said := capsys.readouterr().out)
    assert "no-such-program" in said


def test_a_wrong_setting_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITS_SIGNUP_BONUS", "many")
    assert trying.main(Place(tmp_path), WISH) == 1
    assert "CREDITS_SIGNUP_BONUS" in capsys.readouterr().out


def test_a_file_that_is_no_python_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "edge.py").write_text("A = 1\ndef (:\n")
    monkeypatch.setattr(trying, "CHECKOUT", tmp_path)
    assert trying.main(Place(tmp_path), WISH) == 1
    assert capsys.readouterr().out == f"{tmp_path}/api/edge.py, line 2: invalid syntax.\n"
