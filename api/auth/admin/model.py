"""Plain data of administration, as it stands in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from api.auth.model import Client, Language, User

Role = Literal["user", "admin"]


@dataclass(frozen=True)
class Administrator:
    """Who acts: the session that the access token is of, and where the request came from."""

    user_id: UUID
    session_id: UUID
    client: Client


@dataclass(frozen=True)
class KnownUser:
    """A user as administrators see it."""

    user: User
    banned_at: datetime | None
    ban_reason: str | None
    language: Language


@dataclass(frozen=True)
class WholeUser:
    """The same with what is kept elsewhere: whether a second factor is asked for, how many sessions live."""

    known: KnownUser
    two_factor: bool
    sessions: int


@dataclass(frozen=True)
class RecordedEvent:
    """A security event; ``actor_id`` is the administrator, where it was not the user."""

    id: UUID
    user_id: UUID | None
    actor_id: UUID | None
    session_id: UUID | None
    type: str
    address: str | None
    user_agent: str | None
    details: Mapping[str, Any] | None
    created_at: datetime


@dataclass(frozen=True)
class Mark:
    """Where a page of events ended: the next one begins before it."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True)
class EventSelection:
    """Which events, the newest first; ``since`` is included."""

    limit: int
    user_id: UUID | None = None
    type: str | None = None
    since: datetime | None = None
    before: Mark | None = None
