"""Time-based one-time passwords (RFC 6238 over RFC 4226): six digits of HMAC-SHA-1, others every 30 seconds."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from typing import Final
from urllib.parse import quote, urlencode

STEP_SECONDS: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20
"""As long as the hash, which RFC 4226 (4, R6) recommends."""
_CODE: Final = re.compile("[0-9]{6}")
"""ASCII alone: digits of other scripts would be further spellings of a code."""


def new_secret() -> bytes:
    """A random secret."""
    return secrets.token_bytes(SECRET_BYTES)


def step_at(seconds: float) -> int:
    """The time step of a moment, in seconds since 1970."""
    return int(seconds // STEP_SECONDS)


def code_of(secret: bytes, step: int) -> str:
    """The code of one time step (RFC 4226, 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: bytes, code: str, *, now: int, window: int, after: int) -> int | None:
    """The step, at most ``window`` away from the step ``now`` and later than ``after``, whose code this is, if any.

    All steps are compared, each in constant time, so that an answer's time tells nothing. Of several with the same code
    it is the latest: with it the others are spent as well.
    """
    if _CODE.fullmatch(code) is None:
        return None
    matching = [
        step
        for step in range(max(0, now - window), now + window + 1)
        if hmac.compare_digest(code_of(secret, step), code)
    ]
    return max((step for step in matching if step > after), default=None)


def as_text(secret: bytes) -> str:
    """The secret as it is typed into an authenticator: base32."""
    return base64.b32encode(secret).decode()


def uri(secret: bytes, account: str, issuer: str) -> str:
    """What an authenticator reads from a QR code (Google Authenticator's "Key Uri Format", which others follow)."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    parameters = {
        "secret": as_text(secret),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_SECONDS,
    }
    return f"otpauth://totp/{label}?{urlencode(parameters, quote_via=quote)}"
