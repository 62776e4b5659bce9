"""Which letter an order becomes: nobody is told what is not theirs to know, and nothing goes to what somebody typed."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from contracts.mails import MailKind
from tests.unit.workers.mail.examples import ADA, NOBODY, USER, order
from workers.mail.deciding import UnknownKindError, decide
from workers.mail.model import Letter, Recipient

NOTICES = sorted(
    {
        *("password_changed", "address_changing", "address_changed", "second_factor_on", "second_factor_off"),
        *("recovery_code_used", "recovery_codes_renewed", "topup_failed", "topup_stopped"),
    }
)
PROVEN = msgspec.structs.replace(USER, verified=True)


def _but(recipient: Recipient, **changes: Any) -> Recipient:
    return msgspec.structs.replace(recipient, **changes)


@pytest.mark.parametrize("kind", get_args(MailKind))
def test_every_kind_that_may_be_ordered_is_known(kind: MailKind) -> None:
    if kind == "address_in_use":
        with pytest.raises(UnknownKindError):
            decide(order(kind, ADA), USER)
    else:
        decide(order(kind, ADA), USER)


def test_a_kind_of_a_newer_version_is_not_taken_for_nothing() -> None:
    with pytest.raises(UnknownKindError, match="sign_in_elsewhere"):
        decide(order("sign_in_elsewhere", ADA), USER)


@pytest.mark.parametrize("kind", ["verify_requested", "reset_requested"])
@pytest.mark.checklist(22)
def test_what_somebody_typed_is_never_written_to(kind: str) -> None:
    """Spellings that are the same key may be another's address: the letter goes to the one that the user gave."""
    letter = decide(order(kind, email="ADA@EXAMPLE.COM"), USER)
    assert letter is not None
    assert (letter.to, letter.language, letter.user_id) == ("Ada@example.com", "de", ADA)
    assert decide(order(kind, email="eve@example.com"), NOBODY) is None


@pytest.mark.parametrize("kind", ["verify", "verify_requested", "reset_requested", "change_requested"])
def test_a_banned_user_gets_no_link(kind: str) -> None:
    assert decide(order(kind, ADA, "new@example.com"), _but(USER, banned=True)) is None


@pytest.mark.parametrize("kind", ["verify", "verify_requested"])
def test_an_address_is_verified_once(kind: str) -> None:
    letter = decide(order(kind, ADA), USER)
    assert letter is not None
    assert letter.page == "verify-email"
    assert decide(order(kind, ADA), _but(USER, verified=True)) is None


def test_a_name_is_no_way_to_send_strangers_a_text() -> None:
    """Who registers with another's address may call themselves anything."""
    letter = decide(order("verify", ADA), _but(USER, name="win a prize at https://evil.example"))
    assert letter is not None
    assert letter.name is None
    moved = decide(order("change_requested", ADA, "new@example.com"), _but(USER, verified=True))
    assert moved is not None
    assert moved.name is None
    known = decide(order("reset_requested", email="ada@example.com"), _but(USER, verified=True))
    assert known is not None
    assert known.name == "Ada"


def test_a_new_address_is_asked_where_it_is() -> None:
    letter = decide(order("change_requested", ADA, "new@example.com"), USER)
    assert letter == Letter("change_requested", "new@example.com", "de", ADA, page="confirm-email")


@pytest.mark.checklist(51)
def test_who_has_the_new_address_already_is_told_and_nobody_else() -> None:
    taken = _but(USER, owner_email="Eve@example.com", owner_language="en")
    wish = order("change_requested", ADA, "eve@example.com")
    letter = decide(wish, taken)
    assert letter == Letter("address_in_use", "Eve@example.com", "en", None), "about nobody: events are shown to users"
    assert decide(wish, _but(taken, owner_banned=True)) is None


@pytest.mark.parametrize("kind", NOTICES)
def test_a_notice_goes_to_the_address_of_its_moment(kind: str) -> None:
    """Who took an account over, and moved it, does not get the warning in the owner's place."""
    letter = decide(order(kind, ADA, "old@example.com"), PROVEN)
    assert letter == Letter(kind, "old@example.com", "de", ADA)  # pyright: ignore[reportArgumentType]
    assert decide(order(kind, ADA, "old@example.com"), _but(PROVEN, banned=True)) is not None


@pytest.mark.parametrize("kind", NOTICES)
def test_a_stranger_whose_address_somebody_has_registered_is_told_nothing(kind: str) -> None:
    for email in (None, USER.email):
        assert decide(order(kind, ADA, email), USER) is None


@pytest.mark.parametrize("kind", NOTICES)
def test_a_notice_without_an_address_goes_to_the_users_own(kind: str) -> None:
    letter = decide(order(kind, ADA), PROVEN)
    if kind == "address_changed":
        assert letter is None, "that is the new one"
    else:
        assert letter is not None
        assert letter.to == "Ada@example.com"


@pytest.mark.parametrize(("told", "left"), [("3", 3), ("", None), ("three", None), ("٣", None), (None, None)])
def test_recovery_codes_are_counted_where_their_number_is_told(told: str | None, left: int | None) -> None:
    letter = decide(order("recovery_code_used", ADA, left=told), PROVEN)
    assert letter is not None
    assert letter.codes_left == left


def test_a_farewell_is_not_about_whoever_has_the_address_since() -> None:
    letter = decide(order("account_deleted", None, "ada@example.com", language="de"), _but(USER, language="en"))
    assert letter == Letter("account_deleted", "ada@example.com", "de", None)
    assert decide(order("account_deleted", ADA), USER) is None
