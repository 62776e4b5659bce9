"""Secrets, and the forms in which one of them might lie somewhere."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus

_PLAIN_HASHES: Final = ("md5", "sha1", "sha256", "sha512")


@dataclass(frozen=True)
class Secret:
    """A secret, named for what it is.

    ``guessable``: made up by a person, so that a hash without salt or key gives it away. ``answer`` is the number of
    the one answer that gives it to its user, ``None`` for what a user types. ``other`` are further spellings of it.
    """

    name: str
    text: str
    guessable: bool = False
    answer: int | None = None
    other: tuple[bytes, ...] = ()

    def forms(self) -> frozenset[bytes]:
        """As bytes that another text may hold."""
        spellings = {spelling.encode() for spelling in (self.text, self.text.lower(), self.text.upper())}
        forms = {form for spelling in {*spellings, *self.other} for form in _written(spelling)}
        forms |= {form for spelling in spellings for form in _escaped(spelling.decode())}
        if self.guessable:
            forms |= {form for spelling in spellings for form in _hashed(spelling)}
        return frozenset(forms)


def _written(secret: bytes) -> Iterator[bytes]:
    """The bytes themselves, and what encoders make of them alone or among others."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for before in range(3):
        # Its neighbours have a share in the first and the last characters: those in between are its own.
        padded = base64.b64encode(b"\0" * before + secret).rstrip(b"=")
        own = padded[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield own
        yield own.translate(bytes.maketrans(b"+/", b"-_"))


def _escaped(secret: str) -> Iterator[bytes]:
    """As URLs, forms and JSON have it."""
    yield quote(secret, safe="").encode()
    yield quote_plus(secret).encode()
    yield json.dumps(secret)[1:-1].encode()


def _hashed(secret: bytes) -> Iterator[bytes]:
    for name in _PLAIN_HASHES:
        digest = hashlib.new(name, secret).digest()
        yield from (digest, digest.hex().encode(), digest.hex().upper().encode())
        yield base64.b64encode(digest).rstrip(b"=")


def of_token(text: str) -> tuple[bytes, ...]:
    """Without the hyphens that part a recovery code, and the bytes that a token stands for: in base64url, or in base32
    as an authenticator's secret and a recovery code have it."""
    whole = text.replace("-", "")
    found = [whole.encode()]
    for written, decode, group in ((text, base64.urlsafe_b64decode, 4), (whole, base64.b32decode, 8)):
        with contextlib.suppress(binascii.Error):
            found.append(decode(written + "=" * (-len(written) % group)))
    return tuple(found)
