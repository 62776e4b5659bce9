"""Settings from a file: the same values as from the environment, and a sentence where the file is no good."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from contracts.settings_file import SETTING
from workers.mail.settings import MailSettings
from workers.process_settings import SettingsError, read

NASTY = 'smtps://l:it\'s$HOME&#"x" \\@mail.example.com'
HELD = {"DATABASE_URL": "postgresql://u:p@h/d", "AMQP_URL": "amqp://u:p@h/", "SMTP_URL": NASTY, "METRICS_PORT": "4711"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(SETTING, str(tmp_path / "secrets.json"))
    monkeypatch.setenv("MAIL_FROM", "mana@example.com")
    return tmp_path / "secrets.json"


def _read(file: Path, told: Any) -> MailSettings:
    file.write_text(told if isinstance(told, str) else json.dumps(told))
    return read(MailSettings)


def test_what_it_holds_is_read_as_it_is_and_reaches_no_environment(file: Path) -> None:
    settings = _read(file, HELD)
    assert (settings.database_url, settings.smtp_url, settings.metrics_port) == (HELD["DATABASE_URL"], NASTY, 4711)
    assert not set(HELD) & set(os.environ)


def test_the_environment_goes_first_and_what_is_empty_is_not_set(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_PORT", "4712")
    settings = _read(file, {**HELD, "MAIL_LINKS_URL": ""})
    assert settings.metrics_port == 4712
    assert settings.mail_links_url is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("{", "no JSON"),
        ([], "something else than names and texts"),
        ({**HELD, "METRICS_PORT": 1}, "something else than names and texts"),
        ({**HELD, "AMQP_URL": "http://hidden"}, "AMQP_URL"),
        ({**HELD, "AMQP_ULR": "amqp://hidden"}, "AMQP_ULR"),
    ],
)
def test_a_file_that_is_no_good_is_said_and_not_shown(file: Path, told: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refusal:
        _read(file, told)
    assert "hidden" not in str(refusal.value)


def test_a_file_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(SettingsError, match=f"{SETTING}: names {file}, which cannot be read"):
        read(MailSettings)
