"""Charges that are taken or refuse their request. Stand-in: no header field tells of them yet."""

from __future__ import annotations

from api.errors import refuse
from api.throttle.limiter import Charge, Limiter, Verdict


async def charge(limiter: Limiter, *charges: Charge) -> Verdict:
    """Takes all charges. Raises ``Refusal`` (``rate_limited``) where one of them refuses, and ``Unavailable``."""
    verdict = await limiter.take(*charges)
    if not verdict.allowed:
        raise refuse("rate_limited", "too many requests: try again later")
    return verdict
