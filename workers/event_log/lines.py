"""An event as a line to read, and whether it was asked for. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple


class Wish(NamedTuple):
    """Whose events, of which type, under which app; ``None`` is any."""

    user: str | None = None
    type: str | None = None
    app: str | None = None

    def fits(self, event: dict[str, Any]) -> bool:
        """Whether this one was asked for."""
        return (
            self.user in (None, event.get("subject"))
            and self.type in (None, event.get("type"))
            and (self.app is None or self.app == _about(event).get("appId"))
        )


def line(offset: int, event: dict[str, Any]) -> str:
    """Time, offset, type, user, amount, balance after it, and what else there is to say."""
    about = _about(event)
    amount, balance = about.get("amount"), about.get("balanceAfter")
    columns = (
        f"{event.get('time', ''):<27}",
        f"{offset:>9}",
        f"{event.get('type', ''):<20}",
        f"{event.get('subject', '')}",
        f"{'' if amount is None else format(amount, '+d'):>11}",
        f"{'' if balance is None else balance:>12}",
        _more(about),
    )
    return "  ".join(columns).rstrip()


def _about(event: dict[str, Any]) -> dict[str, Any]:
    """The transaction, or what is told where there is none."""
    data: dict[str, Any] = event.get("data") or {}
    return data.get("transaction") or data


def _more(about: dict[str, Any]) -> str:
    error: dict[str, Any] = about.get("error") or {}
    said = (about.get("appId"), about.get("reason"), error.get("code"))
    return "  ".join(str(word) for word in said if word)
