"""Guesses at one account's secret, counted before the hasher works: as wrong, until they prove right."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from api import client_address
from api.errors import Refusal, Unavailable
from api.throttle.charging import charge
from api.throttle.classes import ACCOUNT, DEVICE, PASSWORD, LimitClass
from api.throttle.limiter import Charge, Limiter
from api.throttle.pressure import Pressure


@dataclass(frozen=True)
class Reservation:
    """One guess that was counted as wrong beforehand, so that guesses side by side cannot share a place; by
    ``pressure`` too, where that is given."""

    limiter: Limiter
    charge: Charge
    pressure: Pressure | None = None

    async def succeeded(self) -> None:
        """It was right: its own counter begins anew, and no other's."""
        await self.limiter.forget(self.charge)
        await self._uncount()

    async def returned(self) -> None:
        """Nobody could say whether it was right, or it was and led nowhere: it counts for nothing."""
        await self.limiter.give_back(self.charge)
        await self._uncount()

    @asynccontextmanager
    async def looked_at(self) -> AsyncGenerator[None]:
        """Around the look at the guess, and what a right one leads to: where that cannot be done (``Unavailable``), the
        guess is given back."""
        try:
            yield
        except Unavailable:
            await self.returned()
            raise

    async def _uncount(self) -> None:
        if self.pressure is not None:
            await self.pressure.uncount()


class Attempts:
    """Reserves guesses. All methods raise ``Unavailable`` where nothing can be counted.

    ``pressed`` is how many sign-ins an address has while they are under pressure; without ``pressure`` they never are.
    """

    def __init__(self, limiter: Limiter, pressure: Pressure | None = None, pressed: LimitClass | None = None) -> None:
        self._limiter = limiter
        self._pressure = pressure
        self._pressed = pressed

    async def reserve(self, account: bytes, device: bytes | None, address: str | None = None) -> Reservation:
        """A guess at an account, on the account's own counter, or on that of a device that it knows.

        ``account`` is the key of the typed e-mail address, known or not; ``address`` the client's.
        Raises ``Refusal`` (``rate_limited``) where there is none left, in words that are the same for every reason.
        """
        guess = _guess(account, device)
        await charge(self._limiter, guess)
        if self._pressure is None:
            return Reservation(self._limiter, guess)
        counted = await self._pressure.count()
        reservation = Reservation(self._limiter, guess, self._pressure if counted else None)
        if self._pressure.is_on() and device is None:
            await self._charge_address(reservation, address)
        return reservation

    async def reserve_as_user(self, user_id: UUID) -> Reservation:
        """A guess at the password of a user who is signed in, or at whatever else proves more than a session does.

        Raises ``Refusal`` as above.
        """
        guess = Charge(PASSWORD, user_id.bytes)
        await charge(self._limiter, guess)
        return Reservation(self._limiter, guess)

    async def forget(self, account: bytes, device: bytes | None = None) -> None:
        """Begins the counter anew that ``reserve`` takes from: whoever signed in with all that was asked for, or can
        read the account's mail, has proven more than a guess can."""
        await self._limiter.forget(_guess(account, device))

    async def _charge_address(self, reservation: Reservation, address: str | None) -> None:
        if self._pressed is None:
            return
        try:
            await charge(self._limiter, Charge(self._pressed, client_address.bucket(address)))
        except (Refusal, Unavailable):
            await reservation.returned()
            raise


def _guess(account: bytes, device: bytes | None) -> Charge:
    return Charge(ACCOUNT, account) if device is None else Charge(DEVICE, account + b"\0" + device)
