"""What sign-in, passwords and addresses are served by, over a real database; no broker is there."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

import argon2
import asyncpg
import pytest

from api.auth.devices import Devices
from api.auth.emails import known
from api.auth.ended_sessions import EndedSessions
from api.auth.hashing import Hasher
from api.auth.keyring import Keyring
from api.auth.keystore import KeyStore
from api.auth.mail_links.bonus import SignupBonus
from api.auth.mail_links.moving import AddressChange
from api.auth.mail_links.requesting import Addressees, MailRequests
from api.auth.mail_links.verifying import Verification
from api.auth.model import Client, Device, Lifetimes
from api.auth.passwords.changing import NewPassword, PasswordChange
from api.auth.passwords.decoys import Decoys
from api.auth.passwords.resetting import PasswordReset
from api.auth.registration import NewUser, Registration
from api.auth.sessions import Sessions
from api.auth.sign_in import Credentials, SignIn
from api.auth.starting import Grant, Starting
from api.auth.tokens import Claims, TokenRules, Tokens
from api.broker.commands import NotAccepted, OutgoingCommand
from api.database import Database
from api.errors import Refusal
from api.outbox.delivery import Delivery
from api.throttle.attempts import Attempts
from api.throttle.classes import LimitClass
from api.throttle.limiter import Charge, Limiter, Verdict

SECRET = bytes(range(32))
SOMEWHERE, LAPTOP = Client("192.0.2.1", "curl"), Device("laptop-1", "Laptop")
PASSWORD, OTHER = "correct horse battery staple", "entirely different staple"
MINUTES = timedelta(minutes=15)
LIFETIMES = Lifetimes(timedelta(days=7), timedelta(days=30), timedelta(seconds=10))


class CheapHasher(Hasher):
    """Hashes of next to no work, for tests of what is done with them."""

    def __init__(self) -> None:
        super().__init__(1)
        self._argon2 = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class NoLimiter:
    """Takes every charge and remembers none: for tests of something else."""

    async def take(self, *charges: Charge) -> Verdict:
        """Allowed, always."""
        return Verdict(True, charges[0].limit.name, 1, 1, 1, 0, 0)

    async def give_back(self, *charges: Charge) -> None:
        """Nothing was taken."""

    async def forget(self, *charges: Charge) -> None:
        """Nothing was remembered."""


class NoBroker:
    """Takes nothing, so what is to be sent stays in the outbox."""

    async def check(self) -> NoReturn:
        raise NotAccepted("no broker")

    async def ask(self, command: OutgoingCommand, wait_seconds: float) -> NoReturn:
        raise NotAccepted(f"no broker for {command.type} in {wait_seconds} s")

    async def send(self, command: OutgoingCommand) -> NoReturn:
        raise NotAccepted(f"no broker for {command.type}")


@dataclass(frozen=True)
class Rooms:
    """The services."""

    tokens: Tokens
    sessions: Sessions
    registration: Registration
    sign_in: SignIn
    changing: PasswordChange
    resetting: PasswordReset
    verification: Verification
    moving: AddressChange
    requests: MailRequests

    async def register(self, email: str, password: str = PASSWORD) -> UUID:
        """A new user."""
        new = NewUser(known(email), password, None, "en")
        return (await self.registration.register(new, SOMEWHERE)).id

    async def enter(self, email: str, password: str = PASSWORD) -> tuple[Grant, Claims]:
        """A session, with what its access token says."""
        granted = await self.sign_in.sign_in(Credentials(known(email), password), SOMEWHERE, LAPTOP)
        assert isinstance(granted, Grant)
        claims = await self.tokens.verify(granted.access_token)
        assert claims is not None
        return granted, claims

    async def change(self, claims: Claims, current: str, new: str) -> None:
        """The user changes the password."""
        await self.changing.change(claims, NewPassword(current, new), SOMEWHERE)

    async def reset(self, link: str, password: str) -> None:
        """Somebody sets a new password with a link."""
        await self.resetting.reset(link, password, SOMEWHERE)

    async def forgot(self, owner: asyncpg.Connection, email: str) -> UUID:
        """Somebody asks for a new password; the id of the order."""
        await self.requests.request("reset_requested", known(email))
        newest = "SELECT id FROM auth.mails WHERE kind = 'reset_requested' ORDER BY id DESC LIMIT 1"
        mail_id = await owner.fetchval(newest)
        assert mail_id is not None
        return mail_id


async def refused(act: Awaitable[object], code: str = "invalid_request", field: str | None = None) -> None:
    """The act is refused with that code, and for that field alone where one is named."""
    with pytest.raises(Refusal) as refusal:
        await act
    assert refusal.value.error.code == code
    if field is not None:
        assert [wrong["field"] for wrong in refusal.value.error.details["errors"]] == [field]


@asynccontextmanager
async def rooms(
    url: str, *, hasher: Hasher | None = None, bonus: int = 0, limiter: Limiter | None = None
) -> AsyncGenerator[Rooms]:
    """The services, for one database as the front's role; with a bonus it is granted at the first proof, with a limiter
    mails and guesses are counted."""
    async with Database.connected(url, 6, "test") as database:
        yield _rooms(database, hasher or CheapHasher(), bonus, limiter or NoLimiter())


def with_decoys(database: Database, threads: int = 1) -> tuple[Hasher, Decoys]:
    """A hasher as the front has it."""
    decoys = Decoys(database, SECRET)
    return Hasher(threads, decoys.of), decoys


def _rooms(database: Database, hasher: Hasher, bonus: int, limiter: Limiter) -> Rooms:
    devices = Devices(SECRET)
    keyring = Keyring(KeyStore(database, SECRET), None, time.time)
    tokens = Tokens(keyring, TokenRules("mana", "mana", MINUTES), time.time)
    ended = EndedSessions(MINUTES, time.time)
    attempts = Attempts(limiter)
    delivery = Delivery(database, NoBroker())
    granting = SignupBonus(bonus, delivery)
    addressees = Addressees(limiter, LimitClass("mail_addressee", 3, timedelta(hours=1)))
    return Rooms(
        tokens=tokens,
        sessions=Sessions(database, tokens, ended, LIFETIMES),
        registration=Registration(
            database, hasher, delivery, addressees, signup_bonus=bonus > 0, site="Mana", bonus_at="verified_email"
        ),
        sign_in=SignIn(
            database,
            hasher,
            tokens,
            starting=Starting(LIFETIMES, devices),
            attempts=attempts,
            devices=devices,
            secret=SECRET,
        ),
        changing=PasswordChange(database, hasher, attempts, ended, site="Mana"),
        resetting=PasswordReset(database, hasher, attempts, ended, granting, site="Mana"),
        verification=Verification(database, granting),
        moving=AddressChange(database, addressees, granting, ended, recent=timedelta(minutes=10)),
        requests=MailRequests(database, addressees),
    )
