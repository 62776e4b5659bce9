"""What events of users tell. No address and no name: what a log keeps cannot be deleted with its user."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias, get_args

from msgspec import Struct

from contracts.fields import OPEN, Moment, Uuid

UserEventType = Literal[
    "user.registered", "user.verified", "user.banned", "user.unbanned", "user.deleted", "session.revoked"
]
USER_EVENTS: Final[tuple[UserEventType, ...]] = get_args(UserEventType)

Role: TypeAlias = Literal["user", "admin"]
EndReason: TypeAlias = Literal["logout", "reuse", "revoked", "banned", "password", "deleted"]


class ToldUser(Struct, frozen=True, rename="camel"):
    """The user as of then. ``GET /users/{id}`` knows the rest."""

    id: Uuid
    role: Role
    email_verified: bool
    created_at: Moment


class UserData(Struct, frozen=True, rename="camel"):
    """Whom it happened to."""

    user: ToldUser


class SessionData(Struct, frozen=True, rename="camel"):
    """Which session ended before its time, and why."""

    session_id: Uuid
    reason: Annotated[EndReason, OPEN]


DATA_OF: Final[dict[UserEventType, type[UserData | SessionData]]] = {
    event: SessionData if event == "session.revoked" else UserData for event in USER_EVENTS
}
