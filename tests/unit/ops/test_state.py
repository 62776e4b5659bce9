from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from contracts import stripe
from ops import envfile, private_file, state
from ops.errors import LauncherError


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    remembered = state.State(data="/data", partitions=8)
    password = remembered.secrets.login("mana-front")
    state.save(path, remembered)
    assert state.load(path) == remembered
    assert remembered.secrets.login("mana-front") == password
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_role_that_came_later_gets_a_password(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    earlier = state.State(data="/data")
    del earlier.secrets.roles["mana_mail"]
    state.save(path, earlier)
    remembered = state.load(path)
    assert remembered is not None
    assert remembered.secrets.roles.pop("mana_mail")
    assert remembered == earlier


def test_secrets_are_never_twice_the_same() -> None:
    first, second = state.Secrets(), state.Secrets()
    secrets = [*first.roles.values(), *second.roles.values(), first.redis, second.redis, first.front_key]
    secrets += [first.stripe_key, second.stripe_key, first.stripe_webhook_secret, second.stripe_webhook_secret]
    assert len(set(secrets)) == len(secrets)


def test_what_the_stand_in_for_stripe_is_given_is_written_as_stripes_own() -> None:
    secrets = state.Secrets()
    assert stripe.secret_key(secrets.stripe_key) == secrets.stripe_key
    assert not stripe.is_live(secrets.stripe_key)
    assert stripe.webhook_secrets(secrets.stripe_webhook_secret) == (secrets.stripe_webhook_secret,)


def test_a_damaged_state_is_said(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("{")
    with pytest.raises(LauncherError, match="damaged"):
        state.load(path)


def test_nothing_remembered_is_nothing(tmp_path: Path) -> None:
    assert state.load(tmp_path / "state.json") is None
    assert envfile.read(tmp_path / "env") == {}


def test_a_private_file_is_private_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("old")
    path.chmod(0o644)
    private_file.write(path, "A=b=c\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert envfile.read(path) == {"A": "b=c"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["env"]


def test_a_private_file_is_on_the_disk_before_it_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "state.json", list[tuple[bool, str]]()
    path.write_text("old")

    def note(descriptor: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.read_text()))

    monkeypatch.setattr(os, "fsync", note)
    private_file.write(path, "new")
    assert seen == [(False, "old"), (True, "new")]


def test_what_a_killed_process_left_blocks_no_other_of_its_number(tmp_path: Path) -> None:
    """In containers each is process 1."""
    path = tmp_path / "state.json"
    for name in (f".state.json.{os.getpid()}", ".state.json.1"):
        (tmp_path / name).mkdir()
    private_file.write(path, "new")
    assert path.read_text() == "new"
