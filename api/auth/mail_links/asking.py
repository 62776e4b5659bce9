"""Orders mails: a row, committed with its cause. Nothing is sent in the request, so that no answer waits for a mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import uuid_utils.compat

from api.auth import emails
from api.auth.emails import Email
from api.auth.model import User
from api.database import Connection
from api.sql import Statements
from contracts.mails import MailKind

_SQL: Final = Statements(Path(__file__).parent / "sql")


@dataclass(frozen=True)
class MailOrder:
    """What is to be told, and to whom: a user, or an address that somebody typed, or a user at another address.

    ``details`` are fields of the letter, and never a secret: a link's token is made when the mail is sent.
    """

    kind: MailKind
    user_id: UUID | None = None
    email: Email | None = None
    details: Mapping[str, str] = field(default_factory=dict[str, str])


async def order(connection: Connection, mail: MailOrder) -> None:
    """Adds the order, with the same work whoever has the address. As the user that it names, or without one.

    It is of the user's present epoch: a change of address that was ordered before what proves the user changed comes to
    nothing, however late its mail is sent.
    """
    address, key = (None, None) if mail.email is None else (mail.email.address, mail.email.key)
    details = msgspec.json.encode(mail.details).decode()
    mail_id = uuid_utils.compat.uuid7()
    await connection.execute(_SQL["add_mail"], mail_id, mail.kind, mail.user_id, address, key, details)


async def tell(connection: Connection, kind: MailKind, user: User, details: Mapping[str, str] | None = None) -> None:
    """Orders a notice of what was done, to the address of this moment: whoever acts for the user now may change it.

    Nobody is told at an address that was never proven: anybody may register with a stranger's.
    """
    if user.email_verified:
        await order(connection, MailOrder(kind, user.id, emails.known(user.email), details or {}))
