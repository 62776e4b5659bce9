"""The text of a key: ``mana_key_``, its id, and 256 random bits. Kept is the hash of all of it."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "mana_key_"
"""Begins each key, so that scanners of leaked secrets know it."""
_ID_LENGTH: Final = 12
_ID_CHARACTERS: Final = string.ascii_lowercase + string.digits
_RANDOM_BYTES: Final = 32
_KEY: Final = re.compile(rf"{PREFIX}([a-z0-9]{{{_ID_LENGTH}}})_[A-Za-z0-9_-]{{43}}")


@dataclass(frozen=True)
class KeyText:
    """A key as its user has it."""

    id: str
    text: str = field(repr=False)

    @classmethod
    def new(cls) -> KeyText:
        """A key that nobody has."""
        key_id = "".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH))
        return cls(key_id, f"{PREFIX}{key_id}_{secrets.token_urlsafe(_RANDOM_BYTES)}")

    @classmethod
    def parse(cls, text: str) -> KeyText | None:
        """``None`` for what has not the form of a key."""
        match = _KEY.fullmatch(text)
        return None if match is None else cls(match[1], text)

    @property
    def hash(self) -> bytes:
        """What is kept of it."""
        return hashlib.sha256(self.text.encode()).digest()


def is_key(text: str) -> bool:
    """Whether this is meant as a key: no access token begins so."""
    return text.startswith(PREFIX)
