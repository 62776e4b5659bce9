"""What a presented refresh token means (SECURITY.md, Refresh rotation), and what its text may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from api.auth.model import PresentedToken
from api.auth.refresh_tokens import Meaning, RefreshToken, judge
from api.auth.sealing import Unreadable

GRACE = timedelta(seconds=10)


def _presented(
    behind: int, seconds: float, *, expired: bool = False, sealed: bool = True, over: bool = False
) -> PresentedToken:
    return PresentedToken(
        session_id=uuid7(),
        token_generation=5,
        session_generation=5 + behind,
        since_rotation=timedelta(seconds=seconds),
        expired=expired,
        session_expired=over,
        session_expires_at=datetime.now(UTC) + timedelta(days=30),
        sealed_successor=b"x" if sealed else None,
    )


@pytest.mark.parametrize(
    ("presented", "meaning"),
    [
        (_presented(0, 0), Meaning.CURRENT),
        (_presented(0, 1_000_000), Meaning.CURRENT),
        (_presented(0, 0, expired=True), Meaning.EXPIRED),
        (_presented(1, 0), Meaning.LOST_ANSWER),
        (_presented(1, 10), Meaning.LOST_ANSWER),
        (_presented(1, 10.001), Meaning.REUSED),
        (_presented(1, 0, sealed=False), Meaning.REUSED),
        (_presented(2, 0), Meaning.REUSED),
        (_presented(2, 0, expired=True), Meaning.REUSED),
        (_presented(0, 0, over=True), Meaning.EXPIRED),
        (_presented(1, 0, over=True), Meaning.EXPIRED),
        (_presented(2, 0, over=True), Meaning.EXPIRED),
    ],
)
def test_meanings(presented: PresentedToken, meaning: Meaning) -> None:
    assert judge(presented, GRACE) is meaning


def test_a_token_has_one_spelling() -> None:
    token = RefreshToken.new()
    assert len(token.text) == 43
    assert RefreshToken.parse(token.text) == token
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    readable = [last for last in alphabet if RefreshToken.parse(token.text[:-1] + last) is not None]
    assert len(readable) == 16
    for other in (token.text + "=", " " + token.text, token.text[:-1], token.text.replace(token.text[0], "+", 1), ""):
        assert RefreshToken.parse(other) is None


def test_only_the_spent_token_opens_its_successor() -> None:
    token, successor, stranger = RefreshToken.new(), RefreshToken.new(), RefreshToken.new()
    sealed = token.seal(successor)
    assert token.unseal(sealed) == successor
    assert successor.secret not in sealed
    for opener, text in ((stranger, sealed), (token, sealed[:-1] + bytes([sealed[-1] ^ 1])), (token, b"")):
        with pytest.raises(Unreadable):
            opener.unseal(text)
