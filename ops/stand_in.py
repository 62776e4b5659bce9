"""Whether an instance buys at a stand-in for Stripe, and what to say to somebody who could."""

import os

from ops.status import Status

NAME = "stripe"
_PAYMENTS = "payments"
_WITH_DEMO = "./mana down, then ./mana up --demo"


def may_start() -> bool:
    """Whether a stand-in may be started here: never where there is a key of Stripe's own, nor where users are real."""
    return not _has_key() and _is_development()


def off(told: Status | None) -> str | None:
    """How to turn buying on, None where it is on."""
    if _buys(told):
        return None
    trying = f"; to try it without them: {_WITH_DEMO}" if may_start() else ""
    return f"on when it is started with STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET{trying}"


def _buys(told: Status | None) -> bool:
    return told is not None and any(entry.name in (NAME, _PAYMENTS) for entry in told.processes)


def _has_key() -> bool:
    return bool(os.environ.get("STRIPE_SECRET_KEY"))


def _is_development() -> bool:
    return (os.environ.get("MANA_ENVIRONMENT") or "development") == "development"
