"""`.env.example` names every setting that a process reads, and what it sets is the default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

import api.settings
import workers.apps.settings
import workers.mail.settings
import workers.payments.settings
import workers.settings
import workers.usage.settings
from ops.settings import Settings as LauncherSettings

EXAMPLE = (Path(__file__).resolve().parents[3] / ".env.example").read_text()
ALL = [
    LauncherSettings,
    api.settings.Settings,
    api.settings.RelaySettings,
    workers.settings.Settings,
    workers.mail.settings.MailSettings,
    workers.payments.settings.PaymentsSettings,
    workers.apps.settings.AppsSettings,
    workers.usage.settings.UsageSettings,
]
NEEDED = {
    "DATABASE_URL": "postgresql://u:p@h/d",
    "AMQP_URL": "amqp://u:p@h/",
    "RABBITMQ_MANAGEMENT_URL": "http://h:15672",
    "MANA_SECRET_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "MANA_PROCESS_NAME": "worker-0",
}


@pytest.mark.parametrize("kind", ALL)
def test_every_setting_is_named(kind: type[BaseSettings]) -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, flags=re.MULTILINE))
    assert {name.upper() for name in kind.model_fields} <= named


def test_no_setting_is_named_twice() -> None:
    """The last one would overrule whoever edits the first."""
    named = re.findall(r"^#?([A-Z_]+)=", EXAMPLE, flags=re.MULTILINE)
    assert sorted(set(named)) == sorted(named)


@pytest.mark.parametrize("kind", ALL)
def test_what_it_sets_is_the_default(kind: type[BaseSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    unset = kind()
    for name, value in re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, flags=re.MULTILINE):
        monkeypatch.setenv(name, value)
    assert kind() == unset
