"""Who becomes an administrator how, and what an administrator's act comes to."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from api.auth.admin.acts import Verdict, on_ban, on_role, on_unban
from api.auth.admin.model import KnownUser, Role
from api.auth.model import User
from api.operators.create_admin import Holder, Way, way_for

ADMIN, USER = UUID(int=1), UUID(int=2)
NOW = datetime(2028, 1, 1, tzinfo=UTC)


def _user(user_id: UUID = USER, *, banned: bool = False, role: Role = "user") -> KnownUser:
    user = User(user_id, "a@b.example", None, role, email_verified=True, created_at=NOW)
    return KnownUser(user, NOW if banned else None, None, "en")


def test_an_act_is_due_once() -> None:
    assert on_ban(ADMIN, _user()) is Verdict.DUE
    assert on_ban(ADMIN, _user(banned=True)) is Verdict.UNCHANGED
    assert on_unban(ADMIN, _user(banned=True)) is Verdict.DUE
    assert on_unban(ADMIN, _user()) is Verdict.UNCHANGED
    assert on_role(ADMIN, _user(), "admin") is Verdict.DUE
    assert on_role(ADMIN, _user(role="admin"), "user") is Verdict.DUE
    assert on_role(ADMIN, _user(), "user") is Verdict.UNCHANGED


@pytest.mark.parametrize("role", ["user", "admin"])
def test_nobody_acts_on_themselves(role: Role) -> None:
    """So one administrator always stays: the one who acts."""
    oneself = _user(ADMIN, role="admin")
    assert {on_ban(ADMIN, oneself), on_unban(ADMIN, oneself), on_role(ADMIN, oneself, role)} == {Verdict.ON_ONESELF}


@pytest.mark.parametrize(
    ("holder", "way"),
    [
        (None, Way.NEW),
        (Holder(USER, "user", email_verified=True, banned=False), Way.PROMOTED),
        (Holder(USER, "user", email_verified=False, banned=False), Way.TAKEN_OVER),
        (Holder(USER, "admin", email_verified=False, banned=False), Way.ALREADY),
        (Holder(USER, "admin", email_verified=True, banned=True), Way.BANNED),
        (Holder(USER, "user", email_verified=False, banned=True), Way.BANNED),
    ],
)
def test_by_whose_address_it_is(holder: Holder | None, way: Way) -> None:
    assert way_for(holder) is way
