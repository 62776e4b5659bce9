"""Plain data of sign-in, as it stands in the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

EndReason = Literal["logout", "reuse", "revoked", "banned", "password", "deleted"]
EventType = Literal[
    "user.registered",
    "user.imported",
    "user.banned",
    "user.unbanned",
    "user.role_changed",
    "user.exported",
    "user.deleted",
    "sign_in.succeeded",
    "sign_in.failed",
    "session.ended",
    "session.put_out",
    "session.listed_end",
    "session.all_ended",
    "refresh.retried",
    "refresh.reused",
    "password.changed",
    "password.reset",
    "email.verified",
    "email.changed",
    "two_factor.enabled",
    "two_factor.disabled",
    "two_factor.failed",
    "topup.enabled",
    "topup.disabled",
    "recovery.used",
    "recovery.renewed",
    "admin.created",
    "admin.sessions_ended",
    "admin.viewed",
    "admin.refund_asked",
    "package.declared",
    "package.retired",
    "app.created",
    "app.changed",
    "app.revoked",
    "app.secret_added",
    "app.secret_revoked",
    "app.refused",
    "app.paused",
    "api_key.created",
    "api_key.revoked",
    "keys.rotated",
    "dead_letter.redriven",
    "dead_letter.dropped",
    "mail.failed",
    "abuse.pressure",
    "webhook.refused",
]
Language = Literal["de", "en"]


@dataclass(frozen=True)
class User:
    """Somebody who may sign in."""

    id: UUID
    email: str
    name: str | None
    role: str
    email_verified: bool
    created_at: datetime


@dataclass(frozen=True)
class SignInCandidate:
    """What is known of an address before its password was checked; no hash where the user has no password."""

    user_id: UUID
    password_hash: str | None
    banned: bool
    credential_epoch: int
    known_device: bool


@dataclass(frozen=True)
class Standing:
    """A user whose row is locked: as it will be until the transaction's end.

    ``epoch`` rises with each change of what proves the user: what was begun under an earlier one is not finished.
    """

    user: User
    banned: bool
    epoch: int
    language: Language


@dataclass(frozen=True)
class Client:
    """Where a request came from: its client's address, and what it calls itself."""

    address: str | None
    user_agent: str | None


NOWHERE: Final = Client(None, None)
"""Of what no client asked for, or whose client is not to be kept."""


@dataclass(frozen=True)
class Device:
    """What a client calls the device that it signs in from."""

    id: str | None
    name: str | None


@dataclass(frozen=True)
class Lifetimes:
    """How long a refresh token lives unused, a session at all, and a spent token for who lost the answer."""

    refresh: timedelta
    session: timedelta
    grace: timedelta


@dataclass(frozen=True)
class SecurityEvent:
    """One security-relevant act; ``subject_hash`` is the keyed hash of an address that nobody has.

    ``details`` hold what an auditor needs besides, and never a secret.
    """

    type: EventType
    client: Client
    user_id: UUID | None = None
    session_id: UUID | None = None
    subject_hash: bytes | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class PresentedToken:
    """A refresh token and its session, read under the session's lock, by the database's clock."""

    session_id: UUID
    token_generation: int
    session_generation: int
    since_rotation: timedelta
    expired: bool
    session_expired: bool
    session_expires_at: datetime
    sealed_successor: bytes | None


@dataclass(frozen=True)
class LiveSession:
    """A session that has neither ended nor expired; address and agent are those of its start."""

    id: UUID
    device_name: str | None
    address: str | None
    user_agent: str | None
    created_at: datetime
    last_active_at: datetime
    expires_at: datetime
