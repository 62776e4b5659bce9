"""Which process is held while which password changes."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from contracts.topology import ADMIN_LOGIN, LOGINS
from ops import rotating, rotation, status
from ops.addresses import Addresses
from ops.boot import OURS
from ops.errors import LauncherError
from ops.place import Place
from ops.programs import ProcessSettings
from ops.state import DATABASE_ROLES, Secrets
from ops.urls import login_of

_ADDRESSES = Addresses("postgresql://h/d", f"amqp://{ADMIN_LOGIN}:x@h/", "http://h", "redis://h", Secrets())
_TOLD = ProcessSettings(_ADDRESSES, 1)
_SETTINGS = {"workers": _TOLD.worker, "clock": _TOLD.worker}


def test_every_process_is_of_one_kind_and_kinds_share_no_login() -> None:
    assert Counter(stage for kind in rotation.KINDS for stage in kind.stages) == Counter(OURS)
    for name in ("role", "login"):
        used = [value for kind in rotation.KINDS if (value := getattr(kind, name))]
        assert len(set(used)) == len(used)


@pytest.mark.parametrize("kind", rotation.KINDS)
def test_a_kind_logs_in_as_what_is_changed_while_it_is_held(kind: rotation.Kind) -> None:
    for stage in kind.stages:
        told = _SETTINGS.get(stage, getattr(_TOLD, stage, None))
        assert told is not None
        values = told()
        assert login_of(values["DATABASE_URL"])[0] == kind.role
        assert login_of(values["AMQP_URL"])[0] == kind.login
        assert ("REDIS_URL" in values) == kind.uses_redis


def test_no_role_and_no_login_is_left_out() -> None:
    roles = {kind.role for kind in rotation.KINDS} | set(rotation.ROLES_OF_NO_PROCESS)
    assert roles == set(DATABASE_ROLES)
    logins = {kind.login for kind in rotation.KINDS} | set(rotation.LOGINS_OF_NO_PROCESS)
    assert logins == {login.name for login in LOGINS}


@pytest.fixture
def board(tmp_path: Path) -> status.Board:
    """Of a supervisor, which is this process, with everything ready."""
    board = status.Board(Place(tmp_path).status)
    board.phase("ready")
    return board


def test_who_asks_while_passwords_change_is_refused(tmp_path: Path, board: status.Board) -> None:
    board.status.rotation = status.Asked("first")
    board.publish()
    with pytest.raises(LauncherError, match="being done already"):
        rotating.change(Place(tmp_path), rotation.PARTS, lambda _step: None)
    assert not Place(tmp_path).rotation.exists()


def test_of_two_who_ask_at_once_one_waits_for_nothing(tmp_path: Path, board: status.Board) -> None:
    board.status.rotation = status.Asked("earlier", ended=True)
    board.publish()

    def take_another(*_: object) -> None:
        board.status.rotation = status.Asked("another", ended=True)
        board.publish()

    before = signal.signal(signal.SIGUSR1, take_another)
    try:
        with pytest.raises(LauncherError, match="Somebody else asked for the same before"):
            rotating.change(Place(tmp_path), rotation.PARTS, lambda _step: None)
    finally:
        signal.signal(signal.SIGUSR1, before)
