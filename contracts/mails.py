"""Mails between the front, which orders them, and the mail worker, which sends them.

The order is a row of ``auth.mails``. What the broker carries is only a bell: it names the row, and no address, no name
and no secret. Whoever hears it looks the row up, so a bell too many does no harm, and one that is lost is rung again.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from contracts.fields import Uuid

MailKind = Literal[
    # Asked for by a person: the answer was the same whoever has the address, the mail worker finds out.
    "verify",
    "verify_requested",
    "reset_requested",
    "change_requested",
    "address_in_use",
    # Told to a user of what was done.
    "password_changed",
    "address_changing",
    "address_changed",
    "second_factor_on",
    "second_factor_off",
    "recovery_code_used",
    "recovery_codes_renewed",
    "account_deleted",
    "topup_failed",
    "topup_stopped",
]
"""What a mail is about. ``address_in_use`` is never ordered: ``change_requested`` becomes it where another user has the
address."""


class Ring(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Body of a message in the queue of mails: the order ``mail_id`` is due."""

    mail_id: Uuid
