"""Which letter an order becomes, by what is so now. Pure.

Whoever asked was answered before anybody looked: only here is it found out who has the address, and nobody is told but
who reads its mails. What somebody typed is compared with users' addresses by a key that is the same for several
spellings (``api.auth.emails``), so a letter goes to the address as its user gave it, never as it was typed.
"""

from __future__ import annotations

import re
from typing import Final, cast

from contracts.mails import MailKind
from workers.mail.model import Language, Letter, Order, Page, Recipient

_NOTICES: Final[frozenset[str]] = frozenset(
    {
        "password_changed",
        "address_changing",
        "second_factor_on",
        "second_factor_off",
        "recovery_code_used",
        "recovery_codes_renewed",
        "topup_failed",
        "topup_stopped",
    }
)
_LANGUAGE: Final[Language] = "en"
_SMALL_NUMBER: Final = re.compile(r"[0-9]{1,2}")


class UnknownKindError(Exception):
    """An order of a kind that this version has no words for: a newer one may have."""


def decide(order: Order, recipient: Recipient) -> Letter | None:
    """The letter, or ``None`` where nothing is to be sent. Raises ``UnknownKindError``."""
    match order.kind:
        case "verify" | "verify_requested":
            return None if recipient.verified else _link(order.kind, recipient, "verify-email")
        case "reset_requested":
            return _link("reset_requested", recipient, "reset-password")
        case "change_requested":
            return _change(order, recipient)
        case "address_changed":
            return _notice(order, recipient) if order.email else None  # the user's own is the new one by now
        case "account_deleted":
            return _farewell(order)
        case kind if kind in _NOTICES:
            return _notice(order, recipient)
        case _:
            raise UnknownKindError(order.kind)


def _link(kind: MailKind, recipient: Recipient, page: Page) -> Letter | None:
    """To the user's own address, whatever was typed."""
    if recipient.email is None or recipient.banned:
        return None
    return Letter(kind, recipient.email, _language(recipient), recipient.user_id, _name(recipient), page)


def _change(order: Order, recipient: Recipient) -> Letter | None:
    """To the new address, so that whoever reads there may confirm it; to its owner, where another user has it."""
    if order.user_id is None or order.email is None or recipient.user_id is None or recipient.banned:
        return None
    if recipient.owner_email is None:
        return Letter("change_requested", order.email, _language(recipient), recipient.user_id, page="confirm-email")
    if recipient.owner_banned:
        return None
    # About nobody: who asked must not find out, by an event of theirs either, that the address is somebody's.
    return Letter("address_in_use", recipient.owner_email, recipient.owner_language or _LANGUAGE, None)


def _notice(order: Order, recipient: Recipient) -> Letter | None:
    """To the address of the moment of the act, where the order names it; a banned user is told as well.

    Nobody is told at an address of the user's that is not proven: it may be a stranger's. Of an earlier one the front
    knew whether it was.
    """
    to = order.email or recipient.email
    is_present = to == recipient.email
    if order.user_id is None or to is None or (is_present and not recipient.verified):
        return None
    name = _name(recipient) if is_present else None
    kind = cast("MailKind", order.kind)
    return Letter(kind, to, _language(recipient), order.user_id, name, codes_left=_codes_left(order))


def _farewell(order: Order) -> Letter | None:
    """To somebody who is no user any more, in the language that the order remembers.

    Whoever has registered with that address since is somebody else.
    """
    if order.email is None:
        return None
    language: Language = "de" if order.details.get("language") == "de" else _LANGUAGE
    return Letter("account_deleted", order.email, language, None)


def _codes_left(order: Order) -> int | None:
    left = str(order.details.get("left", ""))
    return int(left) if _SMALL_NUMBER.fullmatch(left) else None


def _language(recipient: Recipient) -> Language:
    return recipient.language or _LANGUAGE


def _name(recipient: Recipient) -> str | None:
    """Only for whom is known to read there: else strangers could be sent any text, as the name of a new user."""
    return recipient.name if recipient.verified else None
