"""Whether a password is too easy to guess. Stand-in: none is, until the list of common ones is here."""

from __future__ import annotations

from api.auth.emails import Email


def weakness(password: str, email: Email, name: str | None, site: str) -> str | None:
    """What is wrong with the password of that user of that site, as the end of a sentence; ``None`` where it may be.

    Its length was looked at before. Today the answer is always ``None``.
    """
    _ = password, email, name, site
    return None
