"""Recovery codes: for who has lost the authenticator. Random, each good for once, kept as hashes."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

CODES: Final = 10
"""So many are given at once."""
_BYTES: Final = 15
"""120 bits: as many as 24 letters of base32 hold, and enough for a plain hash."""
_GROUP: Final = 4
_LETTERS: Final = re.compile("[A-Za-z2-7]{24}")


@dataclass(frozen=True)
class RecoveryCode:
    """A code's random bytes; as text it is given to the user, as a hash it is kept."""

    secret: bytes

    @classmethod
    def new(cls) -> RecoveryCode:
        """A random code."""
        return cls(secrets.token_bytes(_BYTES))

    @classmethod
    def parse(cls, text: str) -> RecoveryCode | None:
        """Reads a code as people type it, with or without hyphens, blanks and capitals; ``None`` for what is none."""
        letters = "".join(text.replace("-", " ").split())
        return cls(base64.b32decode(letters.upper())) if _LETTERS.fullmatch(letters) else None

    @property
    def text(self) -> str:
        """Six groups of four letters."""
        letters = base64.b32encode(self.secret).decode()
        return "-".join(letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP))

    @property
    def hash(self) -> bytes:
        """As the database holds it."""
        return hashlib.sha256(self.secret).digest()


def new_codes() -> list[RecoveryCode]:
    """A user's codes, in place of all earlier ones."""
    return [RecoveryCode.new() for _ in range(CODES)]
