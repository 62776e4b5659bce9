"""Whether a text is one of an app's secrets: in the same time whatever is wrong with it, and for apps that nobody has.

A secret holds 256 random bits, so its hash need not be slow: it is RabbitMQ's own, by which the broker knows it too.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from api.apps.client_store import KnownSecret
from contracts.apps import SECRETS_MAX

_SALT_BYTES: Final = 4
_NOBODYS: Final = KnownSecret("", secrets.token_bytes(_SALT_BYTES + hashlib.sha256().digest_size))
"""In the place of each secret that an app does not have."""


def matching_secret(text: str, known: Sequence[KnownSecret]) -> str | None:
    """The id of the secret that the text is; as many hashes are made and compared in any case."""
    shown = text.encode()
    found: str | None = None
    for secret in (*known, *[_NOBODYS] * (SECRETS_MAX - len(known))):
        salt = secret.hash[:_SALT_BYTES]
        if hmac.compare_digest(salt + hashlib.sha256(salt + shown).digest(), secret.hash):
            found = secret.id
    return found
