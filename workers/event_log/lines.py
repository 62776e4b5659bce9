"""An event as a line to read, and whether it was asked for. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from contracts.events import SYSTEM_APP


class Wish(NamedTuple):
    """Whose events, of which type, under which app; ``None`` is any."""

    user: str | None = None
    type: str | None = None
    app: str | None = None

    def fits(self, event: dict[str, Any], routing_key: str) -> bool:
        """Whether this one was asked for."""
        return (
            self.user in (None, event.get("subject"))
            and self.type in (None, event.get("type"))
            and self.app in (None, _app(event, routing_key))
        )


def line(offset: int, event: dict[str, Any], routing_key: str) -> str:
    """Time, offset, type, user, amount, balance after it, and what else there is to say."""
    about = _about(event)
    amount, balance = about.get("amount"), _balance(about)
    columns = (
        f"{event.get('time', ''):<27}",
        f"{offset:>9}",
        f"{event.get('type', ''):<20}",
        f"{event.get('subject', '')}",
        f"{'' if amount is None else format(amount, '+d'):>11}",
        f"{'' if balance is None else balance:>12}",
        _more(about, _app(event, routing_key)),
    )
    return "  ".join(columns).rstrip()


def _about(event: dict[str, Any]) -> dict[str, Any]:
    """The transaction, or what is told where there is none."""
    data: dict[str, Any] = event.get("data") or {}
    return data.get("transaction") or data


def _app(event: dict[str, Any], routing_key: str) -> str | None:
    """Under which app it happened: what the event does not say itself, its routing key does (``credits.low.chat``)."""
    kind, _, app = routing_key.rpartition(".")
    told = app if kind == event.get("type") and app != SYSTEM_APP else None
    return _about(event).get("appId") or told


def _balance(about: dict[str, Any]) -> int | None:
    """Paid and free together; where no transaction tells them, the figures of the account do."""
    figures: dict[str, Any] | None = about.get("balance")
    return figures["balance"] + figures["freeCreditsRemaining"] if figures else about.get("balanceAfter")


def _more(about: dict[str, Any], app: str | None) -> str:
    error: dict[str, Any] = about.get("error") or {}
    threshold = about.get("threshold")
    said = (app, about.get("reason"), error.get("code"), None if threshold is None else f"below {threshold}")
    return "  ".join(str(word) for word in said if word)
