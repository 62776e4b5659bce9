"""Charges that are taken or refuse their request, and the header fields that tell of them.

Fields: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (draft 10); ``Retry-After``: RFC 9110.
"""

from __future__ import annotations

from api.errors import Refusal
from api.throttle.limiter import Charge, Limiter, Verdict
from contracts.errors import Error


async def charge(limiter: Limiter, *charges: Charge) -> Verdict:
    """Takes all charges. Raises ``Refusal`` (``rate_limited``) where one of them refuses, in words that are the same
    for every reason, and ``Unavailable``."""
    verdict = await limiter.take(*charges)
    if not verdict.allowed:
        raise refusal(verdict)
    return verdict


def refusal(verdict: Verdict) -> Refusal:
    """The answer to what was not taken."""
    error = Error("rate_limited", "too many requests: try again later")
    return Refusal(error, {"retry-after": str(verdict.retry_after), **fields(verdict)})


def fields(verdict: Verdict) -> dict[str, str]:
    """``RateLimit-Policy`` and ``RateLimit``."""
    return {
        "ratelimit-policy": f'"{verdict.limit}";q={verdict.quota};w={verdict.window}',
        "ratelimit": f'"{verdict.limit}";r={verdict.remaining};t={verdict.reset}',
    }
