"""Secrets at rest: AES-256-GCM, bound to what they belong to."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12


class Unreadable(Exception):  # noqa: N818 - says what the sealed text is
    """The key does not open this seal, or the sealed text was changed."""


def seal(key: bytes, plain: bytes, belongs_to: bytes) -> bytes:
    """Encrypts with a 32-byte key; ``belongs_to`` must be told again to open it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, belongs_to)


def unseal(key: bytes, sealed: bytes, belongs_to: bytes) -> bytes:
    """The plain text. Raises ``Unreadable``."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], belongs_to)
    except (InvalidTag, ValueError) as error:
        raise Unreadable("the key does not open what was sealed") from error


def derive(secret: bytes, purpose: bytes) -> bytes:
    """A 32-byte key for one purpose, from a secret of full entropy (RFC 5869)."""
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret)
