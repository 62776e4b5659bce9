"""Whether a webhook comes from Stripe, and was sent just now, by Stripe's own library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from stripe import SignatureVerificationError, WebhookSignature

TOLERANCE_SECONDS: Final = 300
"""So old a signature may be at most, and so far ahead of our clock."""

Flaw = Literal["header", "encoding", "forged", "stale", "ahead"]
"""No signature that could be one, no UTF-8, no secret's signature over this body, too old, from the future."""

_SIGNED_AT: Final = re.compile(r"t=([0-9]{1,12})")
_SIGNATURE: Final = re.compile(r"v1=[0-9a-f]{64}")


def flaw_in(body: bytes, header: str, secrets: Sequence[str], now: float) -> Flaw | None:
    """What is wrong with the body under the header ``Stripe-Signature``; ``None`` where one of the secrets signed it.

    ``now`` in seconds since 1970. Stripe signs with all secrets of an endpoint while one is being replaced.
    """
    signed_at = _signed_at(header)
    if signed_at is None:
        return "header"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "encoding"
    if not any(_signed(text, header, secret) for secret in secrets):
        return "forged"
    if signed_at < now - TOLERANCE_SECONDS:
        return "stale"
    return "ahead" if signed_at > now + TOLERANCE_SECONDS else None


def _signed_at(header: str) -> int | None:
    """When it says that it was signed; ``None`` unless it is written as Stripe writes it, with one time: of several
    parts by that name the library looks at the first, however it is written, and what we judge must be what was signed.
    """
    parts = header.split(",")
    times = [part for part in parts if part.partition("=")[0] == "t"]
    if len(times) != 1 or not any(_SIGNATURE.fullmatch(part) for part in parts):
        return None
    found = _SIGNED_AT.fullmatch(times[0])
    return None if found is None else int(found[1])


def _signed(body: str, header: str, secret: str) -> bool:
    try:
        # Without a tolerance: the library would look at the system's clock, and at the past alone.
        return WebhookSignature.verify_header(body, header, secret)
    except SignatureVerificationError:
        return False
