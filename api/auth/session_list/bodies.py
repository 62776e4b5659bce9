"""Answers of the routes of sessions."""

from __future__ import annotations

from uuid import UUID

from api.auth.bodies import LiveSessionView
from api.auth.session_list.store import ListedSession


class SessionView(LiveSessionView):
    """A session of one's own.

    ``knownDevice``: the client said at sign-in which device it is. ``lastActiveAt`` is the last refresh, ``expiresAt``
    when the session ends at the latest; ``current`` is the one that asks.
    """

    known_device: bool
    current: bool

    @classmethod
    def of_listed(cls, session: ListedSession, current: UUID) -> SessionView:
        """The view of a session, as the session ``current`` sees it."""
        return cls.model_construct(**vars(session), current=session.id == current)
