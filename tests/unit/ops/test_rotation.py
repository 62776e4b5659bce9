"""Which process is held while which password changes."""

from __future__ import annotations

from collections import Counter

import pytest

from ops import broker_logins, rotation
from ops.addresses import Addresses
from ops.boot import OURS
from ops.programs import ProcessSettings
from ops.state import DATABASE_ROLES, Secrets
from ops.urls import login_of

_TOLD = ProcessSettings(Addresses("postgresql://h/d", "amqp://boss:x@h/", "http://h", "redis://h", Secrets()), 1)
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
        assert login_of(values["AMQP_URL"])[0] == (kind.login or "boss")
        assert ("REDIS_URL" in values) == kind.uses_redis


def test_no_role_and_no_login_is_left_out() -> None:
    roles = {kind.role for kind in rotation.KINDS} | set(rotation.ROLES_OF_NO_PROCESS)
    assert roles == set(DATABASE_ROLES)
    logins = {kind.login for kind in rotation.KINDS if kind.login} | set(rotation.LOGINS_OF_NO_PROCESS)
    assert logins == {login.name for login in broker_logins.OUR_LOGINS}
