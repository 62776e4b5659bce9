"""Refresh tokens: opaque, 256 bits, stored as hashes; and what the one that was presented means."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Final

from api.auth.model import PresentedToken
from api.auth.sealing import derive, seal, unseal

_BYTES: Final = 32
_PURPOSE: Final = b"mana: successor of a refresh token"


@dataclass(frozen=True)
class RefreshToken:
    """A token's secret; as text it is given to the client, as a hash it is kept."""

    secret: bytes

    @classmethod
    def new(cls) -> RefreshToken:
        """A random token."""
        return cls(secrets.token_bytes(_BYTES))

    @classmethod
    def parse(cls, text: str) -> RefreshToken | None:
        """Reads a token; ``None`` for text that no token of ours can be."""
        try:
            secret = base64.b64decode(text + "=", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        token = cls(secret)
        # One spelling for each token: base64 has spare bits at its end.
        return token if len(secret) == _BYTES and token.text == text else None

    @property
    def text(self) -> str:
        """As clients hold it: 43 characters of base64url."""
        return base64.urlsafe_b64encode(self.secret).rstrip(b"=").decode()

    @property
    def hash(self) -> bytes:
        """As the database holds it; a plain hash will do for 256 random bits."""
        return hashlib.sha256(self.secret).digest()

    def seal(self, successor: RefreshToken) -> bytes:
        """The successor, readable only for who holds this token."""
        return seal(derive(self.secret, _PURPOSE), successor.secret, self.hash)

    def unseal(self, sealed: bytes) -> RefreshToken:
        """The sealed successor. Raises ``Unreadable``."""
        return RefreshToken(unseal(derive(self.secret, _PURPOSE), sealed, self.hash))


class Meaning(Enum):
    """What a presented token is."""

    CURRENT = "current"
    LOST_ANSWER = "lost answer"
    REUSED = "reused"
    EXPIRED = "expired"


def judge(presented: PresentedToken, grace: timedelta) -> Meaning:
    """Compares generations, never times of tokens: two rotations within one second confuse nobody.

    Within ``grace`` of a rotation a client that lost the answer gets the same successor again; without any grace it
    never does. Nothing outlives the session.
    """
    if presented.session_expired:
        return Meaning.EXPIRED
    behind = presented.session_generation - presented.token_generation
    if behind == 0:
        return Meaning.EXPIRED if presented.expired else Meaning.CURRENT
    graced = timedelta(0) < grace and presented.since_rotation <= grace
    if behind == 1 and graced and presented.sealed_successor is not None:
        return Meaning.LOST_ANSWER
    return Meaning.REUSED
