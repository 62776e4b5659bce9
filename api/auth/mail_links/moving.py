"""A user's address changes: asked for in a session, done by whoever reads the mails of the new one, told to the old."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from api.auth import standing
from api.auth import store as auth
from api.auth.emails import Email
from api.auth.ended_sessions import EndedSessions
from api.auth.ending import end_sessions
from api.auth.mail_links import store
from api.auth.mail_links.asking import MailOrder, order, tell
from api.auth.mail_links.bonus import SignupBonus
from api.auth.mail_links.requesting import Addressees
from api.auth.mail_links.spending import Aftermath, Presented, bad_link, present, spend
from api.auth.model import Client, SecurityEvent
from api.auth.recent import require_recent
from api.auth.sessions import session_over
from api.auth.tokens import Claims
from api.database import Database


class AddressChange:
    """Moves users to other addresses; ``recent`` is how long ago who asks for it may have signed in."""

    def __init__(
        self,
        database: Database,
        addressees: Addressees,
        bonus: SignupBonus,
        ended: EndedSessions,
        *,
        recent: timedelta,
    ) -> None:
        self._database = database
        self._addressees = addressees
        self._bonus = bonus
        self._ended = ended
        self._recent = recent

    async def ask(self, claims: Claims, email: Email) -> None:
        """Orders the mail with the link, and one that tells the old address, where it is proven; the same whoever has
        the new one.

        Raises ``Refusal`` (``forbidden`` without a recent sign-in, ``unauthorized``, ``rate_limited``), and
        ``Unavailable``.
        """
        async with self._database.as_user(claims.user_id) as connection:
            now = await standing.enter(connection, claims.user_id)
            if now is None or now.banned:
                raise session_over()
            await require_recent(connection, claims.session_id, self._recent)
            await self._addressees.charge("change_requested", email)
            await order(connection, MailOrder("change_requested", claims.user_id, email))
            await tell(connection, "address_changing", now.user)

    async def confirm(self, token: str, client: Client, keep: Claims | None) -> None:
        """The user has the new address, which counts as proven. All sessions end but that of ``keep``, if it is theirs.

        Raises ``Refusal`` (``invalid_request`` of ``token``, also where somebody has the address by now), and
        ``Unavailable``.
        """
        presented = await present(self._database, "email_change", token)
        session = keep.session_id if keep is not None and keep.user_id == presented.owner else None
        try:
            moved = await self._move(presented, session, client)
        except store.AddressTaken as error:
            raise bad_link() from error
        if moved is None:
            raise bad_link()
        self._ended.add_all(moved.ended)
        await self._bonus.deliver(moved.bonus)

    async def _move(self, presented: Presented, session: UUID | None, client: Client) -> Aftermath | None:
        async with self._database.as_user(presented.owner) as connection:
            spent = await spend(connection, presented)
            if spent is None:
                return None
            user = spent.before.user
            await store.move_address(connection, spent.link.id)
            ended = await end_sessions(connection, user.id, "revoked", but=session)
            await store.void_others(connection, user.id, spent.link.id)
            await standing.bump(connection, user.id)
            await auth.add_event(connection, SecurityEvent("email.changed", client, user.id))
            await tell(connection, "address_changed", user)
            return Aftermath(ended, await self._bonus.owe(connection, user.id))
