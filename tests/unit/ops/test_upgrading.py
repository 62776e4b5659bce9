"""What is looked at before a running place goes to another version."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import running, trying, upgrading
from ops.kernel import ProcessId
from ops.place import Place
from ops.status import Status

TOLD = Status(supervisor=ProcessId.own())


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
    assert (trying.main(Place(tmp_path)), capsys.readouterr().out) == (0, "")


def test_what_was_left_must_be_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path)
    place.handover.write_text("{}")
    assert trying.main(place) == 1
    assert "is not understood" in capsys.readouterr().out


def test_a_wrong_setting_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITS_SIGNUP_BONUS", "many")
    assert trying.main(Place(tmp_path)) == 1
    assert "CREDITS_SIGNUP_BONUS" in capsys.readouterr().out


def test_a_file_that_is_no_python_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "edge.py").write_text("A = 1\ndef (:\n")
    monkeypatch.setattr(trying, "CHECKOUT", tmp_path)
    assert trying.main(Place(tmp_path)) == 1
    assert capsys.readouterr().out == f"{tmp_path}/api/edge.py, line 2: invalid syntax.\n"
