"""What an administrator's act on a user comes to. Pure.

Nobody bans or changes the role of themselves: then whoever acts is an administrator who stays, so there is always one.
"""

from __future__ import annotations

from enum import Enum
from uuid import UUID

from api.auth.admin.model import KnownUser, Role


class Verdict(Enum):
    """Whether the act may be done, and whether there is anything to do."""

    ON_ONESELF = "on oneself"
    UNCHANGED = "unchanged"
    DUE = "due"


def on_ban(by: UUID, user: KnownUser) -> Verdict:
    """Of a ban: once."""
    return _verdict(by, user, holds=user.banned_at is not None)


def on_unban(by: UUID, user: KnownUser) -> Verdict:
    """Of a ban's end."""
    return _verdict(by, user, holds=user.banned_at is None)


def on_role(by: UUID, user: KnownUser, role: Role) -> Verdict:
    """Of another role."""
    return _verdict(by, user, holds=user.user.role == role)


def _verdict(by: UUID, user: KnownUser, *, holds: bool) -> Verdict:
    if user.user.id == by:
        return Verdict.ON_ONESELF
    return Verdict.UNCHANGED if holds else Verdict.DUE
