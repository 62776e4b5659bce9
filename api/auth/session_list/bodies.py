"""Answers of the routes of sessions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from api.auth.bodies import Body
from api.auth.session_list.store import ListedSession


class SessionView(Body):
    """A session of one's own.

    ``knownDevice``: the client said at sign-in which device it is. ``lastActiveAt`` is the last refresh, ``expiresAt``
    when the session ends at the latest; ``current`` is the one that asks.
    """

    id: UUID
    device_name: str | None
    known_device: bool
    address: str | None
    user_agent: str | None
    created_at: datetime
    last_active_at: datetime
    expires_at: datetime
    current: bool

    @classmethod
    def of(cls, session: ListedSession, current: UUID) -> SessionView:
        """The view of a session, as the session ``current`` sees it."""
        return cls.model_construct(**vars(session), current=session.id == current)
