"""docker-compose.yml hands each documented setting to the processes that read it, and no administrator's password."""

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

TEXT = (Path(__file__).resolve().parents[3] / "docker-compose.yml").read_text()
# What `python -m ops.setup` writes for each process, and what the image sets.
ELSEWHERE = {
    *(
        "DATABASE_URL",
        "DATABASE_DIRECT_URL",
        "AMQP_URL",
        "REDIS_URL",
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_PASSWORD",
        "MANA_SECRET_KEY",
    ),
    *("MANA_PARTITIONS", "MANA_ADMIN_LOGINS", "MANA_FRONT_LOGINS", "MANA_SYSTEM_LOGINS", "MANA_BIND_HOST"),
    *("MANA_PAYMENTS_LOGINS", "RABBITMQ_MANAGEMENT_URL"),
}
PROCESSES: dict[str, type[BaseSettings]] = {
    "api": api.settings.Settings,
    "relay": api.settings.RelaySettings,
    "worker": workers.settings.Settings,
    "clock": workers.settings.Settings,
    "mail": workers.mail.settings.MailSettings,
    "payments": workers.payments.settings.PaymentsSettings,
    "apps": workers.apps.settings.AppsSettings,
    "usage": workers.usage.settings.UsageSettings,
}


def blocks(top: str) -> dict[str, str]:
    """The text of each service, or of each `x-` fragment, by name."""
    pattern = rf"^{top}([a-z]+):.*\n((?:(?!{top}[a-z]).*\n)*)"
    return {match[1]: match[2] for match in re.finditer(pattern, TEXT, flags=re.MULTILINE)}


def settings_of(service: str) -> set[str]:
    text, fragments = blocks("  ")[service], blocks("x-")
    merged = re.search(r"environment:\n +<<: (.*)", text)
    shared = "".join(fragments[name] for name in re.findall(r"\*(\w+)", merged[1] if merged else ""))
    return set(re.findall(r"^ +([A-Z_]+):", text + shared, flags=re.MULTILINE))


@pytest.mark.parametrize("service", PROCESSES)
def test_every_setting_reaches_its_process(service: str) -> None:
    wanted = {name.upper() for name in PROCESSES[service].model_fields} - ELSEWHERE
    assert wanted <= settings_of(service)


def test_every_bound_reaches_the_set_up() -> None:
    bounds = {name.upper() for name in LauncherSettings.model_fields if name.startswith(("events_", "subscriber_"))}
    assert len(bounds) == 4
    assert bounds <= settings_of("setup")


@pytest.mark.parametrize("service", PROCESSES)
def test_no_process_is_told_an_administrators_password(service: str) -> None:
    assert "MANA_COMPOSE_" not in blocks("  ")[service]
    assert "env_file" not in TEXT.replace("by env_file:", "")
