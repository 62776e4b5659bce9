"""Answers to challenges: the second half of a sign-in. One answer of "no" for every reason but a locked factor."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from api.auth import emails, standing
from api.auth.devices import Devices
from api.auth.model import Client, Device, Standing
from api.auth.starting import Grant, Started, Starting, grant
from api.auth.tokens import Tokens
from api.auth.two_factor import store
from api.auth.two_factor.challenge import Challenge
from api.auth.two_factor.factors import SecondFactors, too_many
from api.auth.two_factor.judging import ANSWERS_MAX, Locked, Presented, Wrong
from api.auth.two_factor.store import ChallengeRow
from api.database import Connection, Database
from api.errors import Refusal, refuse
from api.throttle.attempts import Attempts


@dataclass(frozen=True)
class Answer:
    """What somebody answers a challenge with, from the device that it was given to."""

    challenge: Challenge
    presented: Presented
    device_id: str | None


@dataclass(frozen=True)
class _Begun:
    """A session, and the device that its user's guesses at the password were counted for, where it was known."""

    started: Started
    known_device: bytes | None


def not_answered() -> Refusal:
    """The one answer to a wrong code and to a challenge that is unknown, spent, expired, or another device's alike."""
    return refuse("unauthorized", "the challenge or the code is not valid")


class Answering:
    """Starts the sessions of users who have a second factor."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        *,
        factors: SecondFactors,
        starting: Starting,
        attempts: Attempts,
        devices: Devices,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._factors = factors
        self._starting = starting
        self._attempts = attempts
        self._devices = devices

    async def answer(self, answer: Answer, client: Client) -> Grant:
        """A session. Raises ``Refusal`` (``unauthorized``, ``rate_limited``), and ``Unavailable``."""
        async with self._database.statement() as connection:
            owner = await store.find_challenge_owner(connection, answer.challenge.hash)
        outcome = None if owner is None else await self._decide(owner, answer, client)
        if outcome is None:
            raise not_answered()
        if isinstance(outcome, Locked):
            raise too_many(outcome.left)
        await self._attempts.forget(emails.known(outcome.started.user.email).key.encode(), outcome.known_device)
        return await grant(self._tokens, outcome.started)

    async def _decide(self, owner: UUID, answer: Answer, client: Client) -> _Begun | Locked | None:
        """What the database decides is committed before anybody is refused: a failure must not be rolled back."""
        async with self._database.as_user(owner) as connection:
            now = await standing.enter(connection, owner)
            factor = await self._factors.lock(connection, owner)
            challenge = await store.lock_challenge(connection, answer.challenge.hash)
            if now is None or factor is None or challenge is None or not self._fits(challenge, now, answer):
                return None
            judgement = await self._factors.prove(connection, now.user, factor, answer.presented, client)
            if isinstance(judgement, Locked):
                return judgement
            if isinstance(judgement, Wrong):
                await _count(connection, challenge)
                return None
            await store.spend_challenge(connection, challenge.id)
            device = Device(answer.device_id, challenge.device_name)
            started = await self._starting.start(connection, now, client, device)
            return _Begun(started, challenge.device_hash if challenge.known_device else None)

    def _fits(self, challenge: ChallengeRow, now: Standing, answer: Answer) -> bool:
        """Whether it may be answered at all: nothing has changed since the password, the device included."""
        device = self._devices.hash_of(Device(answer.device_id, None))
        return not now.banned and challenge.epoch == now.epoch and challenge.device_hash == device


async def _count(connection: Connection, challenge: ChallengeRow) -> None:
    if challenge.failures + 1 < ANSWERS_MAX:
        await store.count_wrong_answer(connection, challenge.id)
    else:
        await store.end_challenge(connection, challenge.id)
