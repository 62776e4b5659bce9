"""The operators' page of sign-in names each of its settings once, with the default, and metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from api.settings import RelaySettings, Settings
from api.settings_abuse import AbuseSettings
from api.settings_sign_in import SignInSettings
from tests.unit.ops.test_env_example import NEEDED
from workers.mail.settings import MailSettings

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "operations" / "auth.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| ([^|]*) \|", PAGE, flags=re.MULTILINE)
NAMED = [(name, default.strip()) for names, default in ROWS for name in re.findall(r"[A-Z_]+", names)]
BESIDES = {"MANA_ENVIRONMENT", "PUBLIC_URL", "CORS_ORIGINS", "SITE_NAME", "CREDITS_SIGNUP_BONUS_AT"}
OF_UPKEEP = {"SECURITY_EVENTS_EXPIRY", "ENDED_SESSIONS_EXPIRY"}
OF_MAILS = {"SMTP_URL", "MAIL_FROM", "MAIL_FOLDER", "MAIL_LINKS_URL", "EMAIL_VERIFY_EXPIRY", "PASSWORD_RESET_EXPIRY"}


def test_each_setting_of_sign_in_has_one_row() -> None:
    own = {name.upper() for kind in (SignInSettings, AbuseSettings) for name in kind.model_fields}
    assert sorted(name for name, _ in NAMED) == sorted(own | BESIDES | OF_MAILS | OF_UPKEEP)


@pytest.mark.parametrize("kind", [Settings, RelaySettings, MailSettings])
def test_the_defaults_are_those(kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    unset = kind()
    named = {name: default for name, default in NAMED if name.lower() in kind.model_fields}
    assert named
    for name, default in named.items():
        given = re.fullmatch("`(.*)`", default)
        assert given is not None or default in {"none", "half the cores"}, name
        if given is not None:
            monkeypatch.setenv(name, given[1])
        elif default == "none" and name not in NEEDED:
            assert not getattr(unset, name.lower()), name
    assert kind() == unset


def test_the_metrics_are_there() -> None:
    sources = [path for room in ("api", "workers") for path in (ROOT / room).rglob("*.py")]
    declared = {name for path in sources for name in re.findall(r'"(mana_[a-z_]+)"', path.read_text(encoding="utf-8"))}
    told = {name.removesuffix("_total") for name in re.findall(r"`(mana_[a-z_]+)`", PAGE)}
    assert len(told) > 10
    assert told <= declared
