"""How a second factor is turned on, given new recovery codes, and turned off. Each change of it makes an event and a
mail, and ends what was begun under what proved the user before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from api.auth import standing
from api.auth import store as auth
from api.auth.ended_sessions import EndedSessions
from api.auth.ending import end_sessions
from api.auth.mail_links.asking import tell
from api.auth.model import Client, EventType, SecurityEvent, User
from api.auth.recent import require_recent
from api.auth.tokens import Claims
from api.auth.two_factor import store, totp
from api.auth.two_factor.factors import SecondFactors, too_many
from api.auth.two_factor.judging import Judgement, Locked, Presented, Right, Wrong
from api.auth.two_factor.recovery import new_codes
from api.database import Connection, Database
from api.errors import Refusal, refuse, refuse_field
from contracts.mails import MailKind


@dataclass(frozen=True)
class NewSecret:
    """What an authenticator is set up with; it is never told again."""

    text: str
    uri: str


class Enrolment:
    """Changes a user's second factor; all of it needs a sign-in within ``recent``. ``site`` is what the authenticator
    shows."""

    def __init__(
        self, database: Database, factors: SecondFactors, ended: EndedSessions, *, recent: timedelta, site: str
    ) -> None:
        self._database = database
        self._factors = factors
        self._ended = ended
        self._recent = recent
        self._site = site

    async def set_up(self, claims: Claims) -> NewSecret:
        """A secret to be confirmed by ``enable``; one that was not confirmed is void.

        Raises ``Refusal`` (``forbidden`` without a recent sign-in, before the e-mail address is verified, and where a
        second factor is on already).
        """
        secret = totp.new_secret()
        async with self._database.as_user(claims.user_id) as connection:
            now = await standing.enter(connection, claims.user_id)
            await require_recent(connection, claims.session_id, self._recent)
            if now is None or not now.user.email_verified:
                raise refuse("forbidden", "verify the e-mail address first: it is told of each change")
            sealed = self._factors.sealed(claims.user_id, secret)
            if not await store.begin_enrolment(connection, claims.user_id, sealed):
                raise refuse("forbidden", "a second factor is on already")
        return NewSecret(totp.as_text(secret), totp.uri(secret, now.user.email, self._site))

    async def enable(self, claims: Claims, code: str, client: Client) -> list[str]:
        """Turns the second factor on, and gives the recovery codes; all other sessions end.

        Raises ``Refusal`` (``forbidden`` as above and where nothing was set up, ``invalid_request`` for a wrong code).
        """
        codes, event = new_codes(), _event("two_factor.enabled", claims, client)
        async with self._database.as_user(claims.user_id) as connection:
            user = await self._seize(connection, claims)
            row = await store.lock_factor(connection, user.id)
            if row is None or row.enabled:
                raise refuse("forbidden", "no second factor is being set up")
            step = self._factors.step_confirmed(self._factors.opened(user.id, row), code)
            if step is None:
                raise _wrong("code")
            await store.enable_factor(connection, user.id, step, [code.hash for code in codes])
            ended = await end_sessions(connection, user.id, "revoked", but=claims.session_id)
            await _conclude(connection, user, event, "second_factor_on")
        self._ended.add_all(ended)
        return [code.text for code in codes]

    async def renew_codes(self, claims: Claims, code: str, client: Client) -> list[str]:
        """New recovery codes in place of the old. Raises ``Refusal`` as ``disable`` does."""
        codes, event, presented = new_codes(), _event("recovery.renewed", claims, client), Presented(code)
        async with self._database.as_user(claims.user_id) as connection:
            user = await self._seize(connection, claims)
            judgement = await self._prove(connection, user, presented, client)
            if isinstance(judgement, Right):
                await store.replace_recovery_codes(connection, user.id, [code.hash for code in codes])
                await _conclude(connection, user, event, "recovery_codes_renewed")
        _refuse_unless_right(judgement, presented)
        return [code.text for code in codes]

    async def disable(self, claims: Claims, presented: Presented, client: Client) -> None:
        """Turns the second factor off.

        Raises ``Refusal`` (``forbidden`` without a recent sign-in and where none is on, ``invalid_request`` for a wrong
        code, which is counted like one at a sign-in, ``rate_limited``).
        """
        event = _event("two_factor.disabled", claims, client)
        async with self._database.as_user(claims.user_id) as connection:
            user = await self._seize(connection, claims)
            judgement = await self._prove(connection, user, presented, client)
            if isinstance(judgement, Right):
                await store.remove_factor(connection, user.id)
                await _conclude(connection, user, event, "second_factor_off")
        _refuse_unless_right(judgement, presented)

    async def _seize(self, connection: Connection, claims: Claims) -> User:
        now = await standing.seize(connection, claims.user_id)
        await require_recent(connection, claims.session_id, self._recent)
        if now is None:
            raise refuse("unauthorized", "there is no such user any more")
        return now.user

    async def _prove(self, connection: Connection, user: User, presented: Presented, client: Client) -> Judgement:
        factor = await self._factors.lock(connection, user.id)
        if factor is None:
            raise refuse("forbidden", "no second factor is on")
        return await self._factors.prove(connection, user, factor, presented, client)


def _event(kind: EventType, claims: Claims, client: Client) -> SecurityEvent:
    return SecurityEvent(kind, client, claims.user_id, claims.session_id)


async def _conclude(connection: Connection, user: User, event: SecurityEvent, mail: MailKind) -> None:
    """What every change of the second factor ends with; the mail goes to the address of this moment."""
    await standing.bump(connection, user.id)
    await auth.add_event(connection, event)
    await tell(connection, mail, user)


def _wrong(field: str) -> Refusal:
    return refuse_field(field, "is not a code that is good now")


def _refuse_unless_right(judgement: Judgement, presented: Presented) -> None:
    """After the transaction: the failure stays counted. Raises ``Refusal`` unless the factor was right."""
    if isinstance(judgement, Locked):
        raise too_many(judgement.left)
    if isinstance(judgement, Wrong):
        raise _wrong("recoveryCode" if presented.code is None else "code")
