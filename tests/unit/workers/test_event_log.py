"""What an operator may ask of the log, and how an event is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.topology import EVENTS_LOG
from workers.event_log.choosing import Place, read_offset, read_since
from workers.event_log.lines import Wish, line

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
USER = "0190f2a0-7c1b-7000-8000-000000000001"
USED: dict[str, Any] = {
    "type": "credits.used",
    "subject": USER,
    "time": "2027-01-31T12:00:00.123456Z",
    "data": {"transaction": {"amount": -3, "balanceAfter": 147, "appId": "chat"}, "balance": {}},
}
ENDED: dict[str, Any] = {
    "type": "session.revoked",
    "subject": USER,
    "time": "2027-01-31T12:00:00Z",
    "data": {"sessionId": "s", "reason": "logout"},
}
REFUSED: dict[str, Any] = {
    "type": "credits.refused",
    "subject": USER,
    "time": "2027-01-31T12:00:00Z",
    "data": {"command": "credits.use", "appId": "chat", "error": {"code": "account_frozen"}},
}
LOW: dict[str, Any] = {
    "type": "credits.low",
    "subject": USER,
    "time": "2027-01-31T12:00:00Z",
    "data": {"threshold": 50, "transactionId": "t", "balance": {"balance": 40, "freeCreditsRemaining": 9}},
}
KEYS = {"credits.used": "credits.used.chat", "credits.low": "credits.low.chat", "credits.refused": EVENTS_LOG}
"""The last as the copy has it that is published for the log alone."""


def _key(event: dict[str, Any]) -> str:
    return KEYS.get(event["type"], f"{event['type']}.system")


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("first", "first"), ("last", "last"), ("next", "next"), ("0", 0), ("12345", 12345),
        ("2h", NOW - timedelta(hours=2)),
        ("2027-01-01T00:00:00Z", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_places_in_the_log(text: str, offset: object) -> None:
    assert read_offset(text, NOW) == offset


@pytest.mark.parametrize("text", ["", "begin", "-1", "1.5", "0h", "2027-01-01", "1:2", "٣"])
def test_what_is_no_place_in_the_log(text: str) -> None:
    with pytest.raises(ValueError, match="is"):
        read_offset(text, NOW)


def test_places_in_the_ledger() -> None:
    assert read_since("31:12", NOW) == Place(31, 12)
    assert read_since("90m", NOW) == NOW - timedelta(minutes=90)
    for text in ("first", "12", "1:", "a:1", "1:-1", "99999:1"):
        with pytest.raises(ValueError, match="is no RFC 3339 time"):
            read_since(text, NOW)


def test_lines() -> None:
    start = f"2027-01-31T12:00:00.123456Z         12  credits.used          {USER}           -3           147"
    assert line(12, USED, _key(USED)) == f"{start}  chat"
    words = [line(7, event, _key(event)).split() for event in (ENDED, REFUSED, LOW)]
    assert words[0] == ["2027-01-31T12:00:00Z", "7", "session.revoked", USER, "logout"]
    assert words[1][-2:] == ["chat", "account_frozen"]
    assert words[2] == ["2027-01-31T12:00:00Z", "7", "credits.low", USER, "49", "chat", "below", "50"]


@pytest.mark.parametrize(
    ("wish", "fitting"),
    [
        (Wish(), [USED, ENDED, REFUSED, LOW]),
        (Wish(app="chat"), [USED, REFUSED, LOW]),
        (Wish(app="system"), []),
        (Wish(type="session.revoked"), [ENDED]),
        (Wish(user="x"), []),
        (Wish(user=USER, type="credits.used", app="chat"), [USED]),
    ],
)
def test_what_was_asked_for(wish: Wish, fitting: list[dict[str, Any]]) -> None:
    assert [event for event in (USED, ENDED, REFUSED, LOW) if wish.fits(event, _key(event))] == fitting
