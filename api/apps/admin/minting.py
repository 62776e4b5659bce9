"""Makes secrets of apps."""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import Final

from api.apps.admin.model import NewSecret
from contracts.apps import SECRET_PREFIX

_ID_CHARACTERS: Final = string.ascii_lowercase + string.digits
_ID_LENGTH: Final = 12
_SECRET_BYTES: Final = 32
_SALT_BYTES: Final = 4


def mint(app_id: str) -> NewSecret:
    """A new secret. It has 256 random bits, so that the broker's own quick hash keeps it safely."""
    text = SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    salt = secrets.token_bytes(_SALT_BYTES)
    hashed = salt + hashlib.sha256(salt + text.encode()).digest()
    return NewSecret("".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH)), app_id, text, hashed)
