"""Links in mails: what one holds, and whether it is still good. Their tokens are made where the mail is sent."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from api.auth.model import Standing

Purpose = Literal["email_verify", "email_change", "password_reset"]

_BYTES: Final = 32


@dataclass(frozen=True)
class Link:
    """A token that was neither spent nor expired when it was looked at; ``email`` is the address that it proves."""

    id: UUID
    purpose: Purpose
    email: str
    epoch: int


def hash_of(text: str) -> bytes | None:
    """By what the database knows a token that is written as 43 characters of base64url; ``None`` for other text."""
    try:
        secret = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return hashlib.sha256(secret).digest() if len(secret) == _BYTES else None


def is_good(link: Link, now: Standing) -> bool:
    """Whether the link does what it is for, for a user who is locked.

    One that proves the user's address does so for that address alone. One that changes what proves the user is of the
    user's present epoch: after another such change it is worth nothing.
    """
    if now.banned:
        return False
    match link.purpose:
        case "email_verify":
            return link.email == now.user.email
        case "password_reset":
            return link.email == now.user.email and link.epoch == now.epoch
        case "email_change":
            return link.epoch == now.epoch
