"""Whether an instance buys at a stand-in for Stripe, and what to say to somebody who could."""

import os

from ops.status import Status

NAME = "stripe"
_PAYMENTS = "payments"
_WITH_DEMO = "./mana down, then ./mana up --demo"


def may_start() -> bool:
    """Whether a stand-in may be started here: never where there is a key of Stripe's own, nor where users are real."""
    return not _has_key() and _is_development()


def url_of(told: Status | None) -> str | None:
    """Where the instance's stand-in is, None where it runs without one."""
    entries = told.processes if told else []
    return next((entry.url for entry in entries if entry.name == NAME), None)


def told_of_buying(told: Status | None) -> str | None:
    """A line for who starts the instance: where nothing can be bought, how to turn it on. None where Stripe itself is
    asked."""
    if url := url_of(told):
        return f"{url}  (a stand-in for Stripe: no money moves)"
    if _buys(told):
        return None
    trying = f"; to try it without them: {_WITH_DEMO}" if may_start() else ""
    return f"off  (on after a start with STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET{trying})"


def why_the_demo_does_not_buy(told: Status | None) -> str:
    """A sentence for an instance without a stand-in."""
    if _has_key() or _buys(told):
        return "The demo does not buy with a key of Stripe's own: that is paid on Stripe's page."
    if not _is_development():
        return "The demo does not buy in production."
    return f"This instance was started without buying: {_WITH_DEMO} shows that too."


def _buys(told: Status | None) -> bool:
    return told is not None and any(entry.name in (NAME, _PAYMENTS) for entry in told.processes)


def _has_key() -> bool:
    return bool(os.environ.get("STRIPE_SECRET_KEY"))


def _is_development() -> bool:
    return (os.environ.get("MANA_ENVIRONMENT") or "development") == "development"
