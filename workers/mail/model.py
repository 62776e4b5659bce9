"""Plain data of a mail, from its order to its letter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from contracts.mails import MailKind

Language = Literal["de", "en"]
Page = Literal["verify-email", "reset-password", "confirm-email"]
"""Where a letter's link leads, below the address that all links have."""


class Order(Struct, frozen=True):
    """A row of ``auth.mails`` that this process has claimed until ``claimed_until``; ``attempts`` counts this one.

    ``email`` is where to, if not to the user's own address; without a user it is as somebody typed it.
    """

    id: UUID
    kind: str
    user_id: UUID | None
    email: str | None
    details: Mapping[str, object]
    attempts: int
    created_at: datetime
    claimed_until: datetime


class Recipient(Struct, frozen=True):
    """Whom an order is about, as things are now; nobody where there is no ``user_id``.

    ``owner_email`` is of another user, who has the address that the order names.
    """

    user_id: UUID | None
    email: str | None
    name: str | None
    language: Language | None
    verified: bool | None
    banned: bool
    owner_email: str | None
    owner_language: Language | None
    owner_banned: bool


class Letter(Struct, frozen=True):
    """What is to be sent: in which words, where to, and where its link leads, if it has one.

    ``user_id`` is whose account it is about, ``name`` how they are addressed, ``codes_left`` how many recovery codes
    they have, where that is told.
    """

    kind: MailKind
    to: str
    language: Language
    user_id: UUID | None
    name: str | None = None
    page: Page | None = None
    codes_left: int | None = None
