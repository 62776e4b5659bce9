"""Tokens of links: made when the mail is sent, told in it and nowhere else."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Final

_BYTES: Final = 32


@dataclass(frozen=True)
class LinkToken:
    """A random token; nobody can guess 256 bits, so a plain hash of them will do for the database."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(_BYTES), repr=False)

    @property
    def text(self) -> str:
        """As the link has it: 43 characters of base64url."""
        return base64.urlsafe_b64encode(self.secret).rstrip(b"=").decode()

    @property
    def hash(self) -> bytes:
        """As the database holds it: SHA-256 of the secret's bytes, as of refresh tokens."""
        return hashlib.sha256(self.secret).digest()
