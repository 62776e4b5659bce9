"""Whether an instance buys at a stand-in for Stripe, and what to say to somebody who could."""

import os

from ops.status import Status

NAME = "stripe"
_PAYMENTS = "payments"
_KEY, _WEBHOOK_SECRET = "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"
_WITH_DEMO = "./mana down, then ./mana up --demo"


def may_start() -> bool:
    """Whether a stand-in may be started here: never where there is a key of Stripe's own, nor where users are real."""
    return not _has_key() and _is_development()


def settings_given() -> list[str]:
    """Which of Stripe's own secrets the surroundings have, by name: those that an instance started here is told."""
    return [name for name in (_KEY, _WEBHOOK_SECRET) if os.environ.get(name)]


def url_of(told: Status | None) -> str | None:
    """Where the instance's stand-in is, None where it runs without one."""
    entries = told.processes if told else []
    return next((entry.url for entry in entries if entry.name == NAME), None)


def told_of_buying(told: Status | None) -> str:
    """A line for who starts the instance: where it buys, and what is missing for that."""
    if url := url_of(told):
        return f"{url}  (a stand-in for Stripe: no money moves)"
    given = told.stripe_settings if told else []
    if _KEY in given and _WEBHOOK_SECRET in given:
        return "on, with Stripe's key"
    if _KEY in given:
        return f"on, but nothing that Stripe tells is heard: set {_WEBHOOK_SECRET}"
    trying = f"; to try it without them: {_WITH_DEMO}" if may_start() else ""
    return f"off  (on after a start with {_KEY} and {_WEBHOOK_SECRET}{trying})"


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
    return bool(os.environ.get(_KEY))


def _is_development() -> bool:
    return (os.environ.get("MANA_ENVIRONMENT") or "development") == "development"
