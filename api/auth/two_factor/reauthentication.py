"""Proving once more who one is, within a session: for what an open session alone does not allow."""

from __future__ import annotations

from enum import Enum

from api.auth import standing
from api.auth import store as auth
from api.auth.hashing import Hasher
from api.auth.model import Client, SecurityEvent
from api.auth.recent import renew
from api.auth.sessions import session_over
from api.auth.tokens import Claims
from api.auth.two_factor import store
from api.auth.two_factor.factors import SecondFactors, too_many
from api.auth.two_factor.judging import Locked, Presented, Wrong
from api.auth.two_factor.store import Proof
from api.database import Connection, Database
from api.errors import refuse, refuse_field
from api.throttle.attempts import Attempts


class _Outcome(Enum):
    PROVEN = "proven"
    WRONG = "wrong"
    OVER = "over"


class Reauthentication:
    """Checks the password, and the second factor of a user who has one."""

    def __init__(self, database: Database, hasher: Hasher, attempts: Attempts, factors: SecondFactors) -> None:
        self._database = database
        self._hasher = hasher
        self._attempts = attempts
        self._factors = factors

    async def prove(self, claims: Claims, password: str, code: str | None, client: Client) -> None:
        """From now on the session counts as signed in recently.

        Raises ``Refusal`` (``forbidden`` where anything is wrong, ``unauthorized`` where the session is over,
        ``invalid_request`` where the code is missing, ``rate_limited``), and ``Unavailable``.
        """
        async with self._database.as_user(claims.user_id) as connection:
            proof = await store.find_proof(connection, claims.user_id)
        if proof is None:
            raise session_over()
        if proof.two_factor and code is None:
            raise refuse_field("code", "is required: a second factor is on")
        attempt = await self._attempts.reserve_as_user(claims.user_id)
        async with attempt.looked_at():
            fits = await self._hasher.verify(password, proof.password_hash, claims.sub.encode())
        async with self._database.as_user(claims.user_id) as connection:
            outcome = await self._decide(connection, claims, proof, Presented(code) if fits else None, client)
        if outcome is _Outcome.WRONG:
            raise refuse("forbidden", "the password or the code is wrong")
        if outcome is _Outcome.OVER:
            raise session_over()
        if isinstance(outcome, Locked):
            raise too_many(outcome.left)
        await attempt.succeeded()

    async def _decide(
        self, connection: Connection, claims: Claims, proof: Proof, presented: Presented | None, client: Client
    ) -> _Outcome | Locked:
        """``presented`` is ``None`` where the password was wrong: then the code is not looked at."""
        user_id = claims.user_id
        now = await standing.enter(connection, user_id)
        if now is None or now.banned:
            return _Outcome.OVER
        if presented is None or now.epoch != proof.epoch:
            event = SecurityEvent("sign_in.failed", client, user_id, claims.session_id)
            await auth.add_event(connection, event)
            return _Outcome.WRONG
        if factor := await self._factors.lock(connection, user_id):
            judgement = await self._factors.prove(connection, now.user, factor, presented, client)
            if isinstance(judgement, Locked):
                return judgement
            if isinstance(judgement, Wrong):
                return _Outcome.WRONG
        renewed = await renew(connection, claims.session_id)
        return _Outcome.PROVEN if renewed else _Outcome.OVER
