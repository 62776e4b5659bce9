"""Whether a line of the file can become a user. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from api.auth import emails
from api.auth.emails import Email
from api.auth.hashing import is_affordable
from api.auth.passwords import foreign_hashes
from api.text import is_plain
from contracts.fields import AMOUNT_MAX

HASH_LENGTH_MAX: Final = 512
_ARGON2: Final = re.compile(r"\$argon2[a-z]{1,2}\$[A-Za-z0-9$+/=,-]+")


class Importable(Struct, frozen=True):
    """A user to be; ``balance`` is what the account is opened with, ``hash`` in the form in which it is kept."""

    email: Email
    name: str | None
    hash: str | None
    verified: bool
    balance: int


class _Fields(Struct, frozen=True, forbid_unknown_fields=True):
    email: Annotated[str, Meta(max_length=320)]
    name: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    hash: str | None = None
    verified: bool = False
    balance: Annotated[int, Meta(ge=0, le=AMOUNT_MAX)] = 0


def judge(fields: Mapping[str, Any], *, typed: bool) -> Importable:
    """The user. Raises ``ValueError`` saying what is wrong, without any value; ``typed`` as in ``reading.Line``."""
    try:
        line = msgspec.convert(fields, _Fields, strict=typed)
    except msgspec.ValidationError as error:
        raise ValueError(_in_words(error)) from error
    if not is_plain(line.name or "") or not is_plain(line.email):
        raise ValueError("holds the character NUL, or is not UTF-8")
    try:
        email = emails.parse(line.email)
    except ValueError as error:
        raise ValueError(f"email {error}") from error
    return Importable(email, line.name, None if line.hash is None else _kept(line.hash), line.verified, line.balance)


def _in_words(error: msgspec.ValidationError) -> str:
    """The library's complaint, which names the field by its path."""
    return str(error).replace(" - at `$.", ": `").replace("Object", "The line")


def _kept(given: str) -> str:
    """A hash that passwords can be checked against, in bounded memory and time."""
    stored = foreign_hashes.from_werkzeug(given) or given
    if len(stored) > HASH_LENGTH_MAX or not (_is_argon2(stored) or foreign_hashes.checker(stored)):
        raise ValueError("hash is none of bcrypt, scrypt or Argon2, or would take too much memory or time")
    return stored


def _is_argon2(stored: str) -> bool:
    return _ARGON2.fullmatch(stored) is not None and is_affordable(stored)
