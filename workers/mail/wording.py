"""From a decided letter to the e-mail: what all letters of one service share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from workers.mail.composing import Sender, compose
from workers.mail.letters import Link, write
from workers.mail.model import Letter, Order, Page
from workers.mail.settings import MailSettings
from workers.mail.tokens import LinkToken


@dataclass(frozen=True)
class Wording:
    """What the service is called, whom mails are from, where links lead and how long they are good."""

    site: str
    sender: Sender
    links_base: str
    verify_life: timedelta
    reset_life: timedelta

    @classmethod
    def of(cls, settings: MailSettings) -> Wording:
        """As the settings say; nothing of a request's is among them, so no Host header gets into a link."""
        return cls(
            settings.site_name,
            Sender(settings.mail_from),
            settings.links_base,
            settings.email_verify_expiry,
            settings.password_reset_expiry,
        )

    def life(self, page: Page) -> timedelta:
        """How long a link to that page is good."""
        return self.reset_life if page == "reset-password" else self.verify_life

    def message(self, order: Order, letter: Letter, token: LinkToken | None) -> EmailMessage:
        """The mail. Raises ``UnsendableError``."""
        link = None
        if letter.page is not None and token is not None:
            # Behind "#" it stays in the browser: no server, log or referrer gets to see it.
            link = Link(f"{self.links_base}/{letter.page}#token={token.text}", self.life(letter.page))
        written = write(letter, site=self.site, ordered_at=order.created_at.astimezone(UTC), link=link)
        return compose(written, to=letter.to, sender=self.sender, mail_id=order.id, sent_at=datetime.now(UTC))
