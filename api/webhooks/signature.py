"""Whether a webhook comes from Stripe, and was sent just now, by Stripe's own library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from stripe import SignatureVerificationError, WebhookSignature

TOLERANCE_SECONDS: Final = 300
"""So old a signature may be at most, and so far ahead of our clock."""

Flaw = Literal["encoding", "forged", "stale", "ahead"]
"""No UTF-8, no secret's signature over this body, too old, from the future."""

_SIGNED_AT: Final = re.compile(r"t=([0-9]{1,12})")
_SIGNATURE: Final = re.compile(r"v1=[0-9a-f]{64}")


class Header(NamedTuple):
    """The header ``Stripe-Signature``, and when it says that it was signed, in seconds since 1970."""

    text: str
    signed_at: int


def read(text: str) -> Header | None:
    """``None`` unless it is written as Stripe writes it, with one time: of several parts by that name the library looks
    at the first, however it is written, and what we judge must be what was signed."""
    parts = text.split(",")
    times = [part for part in parts if part.partition("=")[0] == "t"]
    if len(times) != 1 or not any(_SIGNATURE.fullmatch(part) for part in parts):
        return None
    found = _SIGNED_AT.fullmatch(times[0])
    return None if found is None else Header(text, int(found[1]))


def flaw_in(body: bytes, header: Header, secrets: Sequence[str], now: float) -> Flaw | None:
    """What is wrong with the body under the header; ``None`` where one of the secrets signed it.

    ``now`` in seconds since 1970. Stripe signs with all secrets of an endpoint while one is being replaced.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "encoding"
    if not any(_signed(text, header.text, secret) for secret in secrets):
        return "forged"
    if header.signed_at < now - TOLERANCE_SECONDS:
        return "stale"
    return "ahead" if header.signed_at > now + TOLERANCE_SECONDS else None


def _signed(body: str, header: str, secret: str) -> bool:
    try:
        # Without a tolerance: the library would look at the system's clock, and at the past alone.
        return WebhookSignature.verify_header(body, header, secret)
    except SignatureVerificationError:
        return False
