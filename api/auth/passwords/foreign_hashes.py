"""Hashes of passwords that other systems made: bcrypt and scrypt, checked as those made them.

A user who was imported with one has it until the next sign-in, which replaces it by ours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

import bcrypt

Check: TypeAlias = Callable[[str], bool]
"""Whether a password fits, in the calling thread; takes as long as the hash's maker wanted."""

BCRYPT_COST_MAX: Final = 14
BCRYPT_BYTES_MAX: Final = 72
"""Bcrypt never looked further. Who made the hash cut the password off there, in the middle of a letter if need be."""
SCRYPT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of all lanes together, so that it bounds the time too."""
_SCRYPT_MARGIN: Final = 2 * 1024 * 1024
"""What OpenSSL counts besides."""

_BCRYPT: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_SCRYPT: Final = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,3}),p=([0-9]{1,3})\$([A-Za-z0-9+/]{1,171})\$([A-Za-z0-9+/]{22,86})"
)
_WERKZEUG: Final = re.compile(r"scrypt:([0-9]{1,7}):([0-9]{1,3}):([0-9]{1,3})\$([^$]{1,128})\$([0-9a-f]{32,128})")


def checker(stored: str) -> Check | None:
    """What checks passwords against the hash; ``None`` where it is none of these, or would take too much."""
    if match := _BCRYPT.fullmatch(stored):
        return partial(_either, partial(_fits_bcrypt, stored.encode())) if int(match[1]) <= BCRYPT_COST_MAX else None
    scrypt = _Scrypt.parse(stored)
    return None if scrypt is None or not scrypt.affordable else partial(_either, scrypt.fits)


def from_werkzeug(text: str) -> str | None:
    """Werkzeug's ``scrypt:N:r:p$salt$hex`` in the form in which scrypt is kept; ``None`` for anything else."""
    match = _WERKZEUG.fullmatch(text)
    if match is None or int(match[1]).bit_count() != 1 or len(match[5]) % 2:
        return None
    exponent = int(match[1]).bit_length() - 1
    salt, digest = _base64(match[4].encode()), _base64(bytes.fromhex(match[5]))
    return f"$scrypt$ln={exponent},r={int(match[2])},p={int(match[3])}${salt}${digest}"


@dataclass(frozen=True)
class _Scrypt:
    """A hash as passlib writes it: ``$scrypt$ln=…,r=…,p=…$salt$hash`` in base64 without padding (RFC 7914)."""

    exponent: int
    block: int
    lanes: int
    salt: bytes
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> _Scrypt | None:
        match = _SCRYPT.fullmatch(text)
        if match is None:
            return None
        try:
            salt, digest = (base64.b64decode(part + "=" * (-len(part) % 4)) for part in match.group(4, 5))
        except binascii.Error:
            return None
        return cls(int(match[1]), int(match[2]), int(match[3]), salt, digest)

    @property
    def memory(self) -> int:
        """Bytes that all lanes take, one after the other."""
        return 128 * self.block * self.lanes << self.exponent

    @property
    def affordable(self) -> bool:
        """False for what OpenSSL would refuse, and for what takes too much memory or time."""
        possible = 1 <= self.exponent < 16 * self.block and self.lanes > 0
        return possible and self.memory <= SCRYPT_BYTES_MAX

    def fits(self, password: bytes) -> bool:
        """Whether the password has this hash."""
        made = hashlib.scrypt(
            password,
            salt=self.salt,
            n=1 << self.exponent,
            r=self.block,
            p=self.lanes,
            maxmem=self.memory + _SCRYPT_MARGIN,
            dklen=len(self.digest),
        )
        return hmac.compare_digest(made, self.digest)


def _either(fits: Callable[[bytes], bool], password: str) -> bool:
    """As it was typed, as the hash's maker took it; and in the form in which ours are kept, where that is another."""
    composed = unicodedata.normalize("NFC", password)
    return fits(password.encode()) or (composed != password and fits(composed.encode()))


def _fits_bcrypt(stored: bytes, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_BYTES_MAX], stored)
    except ValueError:  # a salt with spare bits set, which nothing makes
        return False


def _base64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()
