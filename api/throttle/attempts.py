"""Guesses at one account's password, counted before the hasher works. Stand-in: every guess is let through yet."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from api.throttle.limiter import Limiter


@dataclass(frozen=True)
class Reservation:
    """One guess that was counted as wrong beforehand, so that guesses side by side cannot share a place."""

    account: bytes
    device: bytes | None

    async def succeeded(self) -> None:
        """It was right: the account's counter begins anew, and no other's."""

    async def returned(self) -> None:
        """The hasher never looked at it: it counts for nothing."""


class Attempts:
    """Reserves guesses; today without a bound."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def reserve(self, account: bytes, device: bytes | None) -> Reservation:
        """A guess at an account, on the account's own counter, or on that of a device that it knows.

        Raises ``Refusal`` (``rate_limited``) where there is none left, in words that are the same for every reason.
        """
        return Reservation(account, device)

    async def reserve_as_user(self, user_id: UUID) -> Reservation:
        """A guess at the password of a user who is signed in. Raises ``Refusal`` as above."""
        return Reservation(user_id.bytes, None)

    async def forget(self, account: bytes, device: bytes | None = None) -> None:
        """Begins the counter anew that ``reserve`` takes from: whoever signed in with all that was asked for, or can
        read the account's mail, has proven more than a guess can."""
