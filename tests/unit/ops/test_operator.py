"""What operators type where servers are somebody else's: each command becomes its program, told as ./mana tells it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ops.errors import LauncherError
from ops.settings import Settings
from ops.setup import operator, secret_files

CHOSEN = Settings.model_construct()
COMMANDS = {
    "verify": ("workers.ledger.audit", "mana_owner", None),
    "dead list": ("api.operators.dead", "mana_owner", "mana-redrive"),
    "apps list": ("api.operators.apps", "mana_owner", "mana-front"),
    "admin create a@example.com": ("api.operators.create_admin", "mana_owner", "mana-front"),
    "users import users.csv": ("api.operators.import_users", "mana_owner", "mana-front"),
    "packages list": ("api.operators.packages", "mana_owner", "mana-front"),
    "packages apply packages.yaml": ("api.operators.packages", "mana_owner", "mana-front"),
    "keys rotate": ("api.operators.rotate_keys", "mana_api", "mana-front"),
    "stripe reconcile --release-topups": ("workers.payments.reconciling", "mana_payments", "mana-payments"),
    "events republish --from 2027-01-31T12:00:00Z": ("workers.event_log.republish", "mana_worker", "mana-worker"),
    "usage rebuild": ("workers.usage.rebuilding", "mana_usage", "mana-usage"),
}
"""Each one's program, its role at the database, its login at the broker."""


class Became(Exception):  # noqa: N818 - no error: what would end this process
    """The program and its environment."""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATABASE_URL", "AMQP_URL", "RABBITMQ_MANAGEMENT_URL", "REDIS_URL", "STRIPE_API_URL"):
        monkeypatch.delenv(name, raising=False)

    def became(_program: str, command: list[str], env: dict[str, str]) -> None:
        raise Became(command, env)

    monkeypatch.setattr(os, "execve", became)
    secret_files.write(tmp_path / "secrets", 4, CHOSEN)
    return tmp_path / "secrets" / "state.json"


def become(state: Path, line: str) -> tuple[list[str], dict[str, str]]:
    with pytest.raises(Became) as raised:
        operator.run(state, line.split(), CHOSEN)
    command, env = raised.value.args
    return command[command.index("-m") + 1 :], env


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_becomes_its_program_with_its_own_logins(line: str, state: Path) -> None:
    module, role, login = COMMANDS[line]
    command, env = become(state, line)
    assert command[0] == module
    assert set(command[1:]) - {"--", "--note"} <= set(line.split())
    assert env["DATABASE_URL"].startswith(f"postgresql://{role}:")
    assert env["DATABASE_URL"].endswith("@postgres:5432/mana")
    assert env.get("AMQP_URL", "").startswith(f"amqp://{login}:" if login else "")


def test_the_events_are_read_as_administrator(state: Path) -> None:
    command, env = become(state, "events tail --no-follow")
    assert command == ["workers.event_log.tail", "--no-follow"]
    assert env["MANA_AMQP_URL"].startswith("amqp://mana-admin:")


def test_the_reconciliation_has_the_key_of_stripes(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_live_1")
    assert become(state, "stripe reconcile")[1]["STRIPE_SECRET_KEY"] == "sk_live_1"
    assert "STRIPE_SECRET_KEY" not in become(state, "verify")[1]


def test_all_that_operators_have_is_there_but_what_belongs_to_a_place() -> None:
    """Whoever adds a command says here how it runs at servers that are somebody else's."""
    app = operator.commands()
    tested = {line.split()[0] for line in (*COMMANDS, "events")}
    names = {group.name for group in app.registered_groups} | {operator.name_of(one) for one in app.registered_commands}
    assert names == tested


def test_without_a_state_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match=r"ops\.setup secrets"):
        operator.run(tmp_path / "none.json", ["verify"], CHOSEN)
