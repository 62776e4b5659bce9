"""`.env.example` names every setting that a process reads, and what it sets is the default."""

from __future__ import annotations

import re
import subprocess
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
from tests.e2e.walkthrough import blocks_of

EXAMPLE = (Path(__file__).resolve().parents[3] / ".env.example").read_text()
ALL = [
    LauncherSettings,
    api.settings.Settings,
    api.settings.RelaySettings,
    workers.settings.ClockSettings,
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


def test_a_shell_reads_all_of_it_as_docker_does(tmp_path: Path) -> None:
    """Also what is commented out, once it is not: the file is sourced before ./mana up."""
    named = re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, flags=re.MULTILINE)
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in named))
    done = subprocess.run(
        ["sh", "-euc", "set -a; . ./env; env -0"], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert {name: told[name] for name, _ in named} == {name: value.strip("\"'") for name, value in named}


def test_what_the_pages_put_into_a_file_of_settings_is_read_by_a_shell(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "operations" / "deploy.md").read_text()
    (text,) = [block.text for block in blocks_of(page) if "MANA_DOMAIN=" in block.text and not block.language]
    (tmp_path / "env").write_text("\n".join(line.strip() for line in text.splitlines()))
    shown = 'set -a; . ./env; printf "%s" "$MAIL_FROM"'
    done = subprocess.run(["sh", "-euc", shown], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Mana <mana@example.com>"), done.stderr
