"""The second factor of a user, looked at under its lock: with one count of failures, wherever it is asked for."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final
from uuid import UUID

from api.auth import store as auth
from api.auth.mail_links.asking import tell
from api.auth.model import Client, SecurityEvent, User
from api.auth.sealing import derive, seal, unseal
from api.auth.two_factor import store, totp
from api.auth.two_factor.judging import ByCode, ByRecovery, Factor, Judgement, Locked, Presented, Wrong, judge
from api.auth.two_factor.store import FactorRow
from api.clock import Clock
from api.database import Connection
from api.errors import Refusal
from contracts.errors import Error

_PURPOSE: Final = b"mana: TOTP"


class SecondFactors:
    """Opens and judges second factors; ``secret`` seals them, ``window`` is how many steps around now are accepted."""

    def __init__(self, secret: bytes, clock: Clock, window: int) -> None:
        self._key = derive(secret, _PURPOSE)
        self._clock = clock
        self._window = window

    def sealed(self, user_id: UUID, secret: bytes) -> bytes:
        """The secret as the database keeps it: of use to that user alone."""
        return seal(self._key, secret, user_id.bytes)

    def opened(self, user_id: UUID, row: FactorRow) -> Factor:
        """What is needed to judge. Raises ``Unreadable``."""
        secret = unseal(self._key, row.sealed_secret, user_id.bytes)
        return Factor(secret, row.recovery_hashes, row.last_step, row.failures, row.locked)

    async def lock(self, connection: Connection, user_id: UUID) -> Factor | None:
        """The user's second factor, nobody else's turn until the transaction ends; ``None`` where none is on."""
        row = await store.lock_factor(connection, user_id)
        return self.opened(user_id, row) if row is not None and row.enabled else None

    def step_confirmed(self, factor: Factor, code: str) -> int | None:
        """The time step of a code that shows that the user's authenticator has the secret; not counted."""
        return totp.matching_step(factor.secret, code, now=self._step, window=self._window, after=factor.last_step)

    async def prove(
        self, connection: Connection, user: User, factor: Factor, presented: Presented, client: Client
    ) -> Judgement:
        """Judges what was presented for a locked factor, and keeps what comes of it: spent codes, failures, a lock.

        A failure must be committed: whoever refuses for it does so after the transaction.
        """
        judgement = judge(factor, presented, step=self._step, window=self._window)
        match judgement:
            case ByCode(step):
                await store.accept_code(connection, user.id, step)
            case ByRecovery(spent, left):
                await store.spend_recovery_code(connection, user.id, spent)
                await _tell_of_recovery(connection, user, client, left)
            case Wrong(failures, lock):
                await store.note_failures(connection, user.id, failures, lock)
                await auth.add_event(connection, SecurityEvent("two_factor.failed", client, user.id))
            case Locked():
                pass
        return judgement

    @property
    def _step(self) -> int:
        return totp.step_at(self._clock())


async def _tell_of_recovery(connection: Connection, user: User, client: Client, left: int) -> None:
    details = {"left": str(left)}
    await auth.add_event(connection, SecurityEvent("recovery.used", client, user.id, details=details))
    await tell(connection, "recovery_code_used", user, details)


def too_many(left: timedelta) -> Refusal:
    """The answer while a factor is locked."""
    seconds = max(1, math.ceil(left.total_seconds()))
    return Refusal(Error("rate_limited", "too many wrong codes; try again later"), {"retry-after": str(seconds)})
