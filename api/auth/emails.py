"""E-mail addresses: checked after normalisation, and looked up in a form in which alike addresses are equal."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

from email_validator import EmailNotValidError, validate_email

KEY_LENGTH_MAX: Final = 640
"""So many characters of a key are kept; some addresses of a few dozen become longer by their normal form."""


@dataclass(frozen=True)
class Email:
    """An address as mail is sent to it, and the key by which it is found."""

    address: str
    key: str


def parse(text: str) -> Email:
    """Reads an address without asking the network, and without the space that was typed or pasted around it. Raises
    ``ValueError`` saying what is wrong with it.

    Names reserved for tests (``.test``, RFC 2606) are allowed: staging systems live there, and no mail leaves for them.
    """
    try:
        checked = validate_email(text.strip(), check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise ValueError("is no e-mail address") from error
    email = known(checked.normalized)
    if len(email.key) > KEY_LENGTH_MAX:
        raise ValueError("is no e-mail address")
    return email


def known(address: str) -> Email:
    """An address that was read before, as it is kept."""
    return Email(address, unicodedata.normalize("NFKC", address).casefold())
