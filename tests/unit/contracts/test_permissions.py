"""Goal: who may do what, as the contract has it: every login and every command."""

from __future__ import annotations

import msgspec
import pytest

from contracts.commands import COMMANDS, Grant, Refund, Use
from contracts.errors import Error
from contracts.permissions import SIGNUP_BONUS_KEY, Actor, Logins, authorise
from tests.unit.contracts.examples import MINIMAL, OF_PAYMENTS, USER

LOGINS = Logins()
APP = Actor("app", app_id="chat")
ANY_APP = Actor("app")
USERS_OWN = Actor("user")
OURS = Actor("system")
NO = "forbidden"
PAYMENTS = "mana-payments"

TABLE: dict[str, dict[str | None, Actor | str]] = {
    # command: who asks, and what that makes of it
    "credits.use": {"mana-admin": ANY_APP, "mana-front": USERS_OWN, "mana-worker": OURS, PAYMENTS: NO, "chat": APP},
    "credits.refund": {"mana-admin": ANY_APP, "mana-front": USERS_OWN, "mana-worker": OURS, PAYMENTS: NO, "chat": APP},
    "credits.balance": {"mana-admin": ANY_APP, "mana-front": USERS_OWN, "mana-worker": OURS, PAYMENTS: NO, "chat": APP},
    "credits.grant": {"mana-admin": ANY_APP, "mana-front": NO, "mana-worker": OURS, PAYMENTS: NO, "chat": NO},
    "credits.adjust": {"mana-admin": ANY_APP, "mana-front": NO, "mana-worker": OURS, PAYMENTS: NO, "chat": NO},
    "account.open": {"mana-admin": ANY_APP, "mana-front": OURS, "mana-worker": OURS, PAYMENTS: NO, "chat": NO},
    "account.freeze": {"mana-admin": ANY_APP, "mana-front": OURS, "mana-worker": OURS, PAYMENTS: NO, "chat": NO},
    "account.unfreeze": {"mana-admin": ANY_APP, "mana-front": OURS, "mana-worker": OURS, PAYMENTS: NO, "chat": NO},
    "account.threshold": {"mana-admin": ANY_APP, "mana-front": OURS, "mana-worker": OURS, PAYMENTS: NO, "chat": NO},
    "credits.expire": {"mana-admin": NO, "mana-front": NO, "mana-worker": OURS, PAYMENTS: NO, "chat": NO},
    **{
        name: {"mana-admin": NO, "mana-front": NO, "mana-worker": OURS, PAYMENTS: OURS,
               "chat": NO}
        for name in ("credits.purchase", "credits.clawback", "credits.thaw")
    },
}  # fmt: skip
CASES = [
    (name, login, verdict)
    for name, row in TABLE.items()
    for login, verdict in {**row, None: "forbidden", "": "forbidden"}.items()
]


@pytest.mark.parametrize(("name", "login", "verdict"), CASES)
def test_rights(name: str, login: str | None, verdict: Actor | str) -> None:
    body = MINIMAL.get(name) or OF_PAYMENTS.get(name, {"userId": USER})
    decided = authorise(login, msgspec.convert(body, COMMANDS[name]), LOGINS)
    assert (decided.code if isinstance(decided, Error) else decided) == verdict


def test_the_front_grants_the_bonus_for_signing_up_and_nothing_else() -> None:
    for key in ("mana:signup-bonus2", "mana:open", "mana:signup-bonus "):
        grant = msgspec.convert({**MINIMAL["credits.grant"], "idempotencyKey": key}, Grant)
        assert isinstance(authorise("mana-front", grant, LOGINS), Error)
    bonus = msgspec.convert({**MINIMAL["credits.grant"], "idempotencyKey": SIGNUP_BONUS_KEY}, Grant)
    assert authorise("mana-front", bonus, LOGINS) == OURS
    assert isinstance(authorise("chat", bonus, LOGINS), Error)


def test_every_command_is_in_the_table() -> None:
    assert TABLE.keys() == COMMANDS.keys()


def test_logins_can_be_named_otherwise() -> None:
    logins = Logins(admin=frozenset({"root"}), front=frozenset({"web"}), system=frozenset({"engine"}))
    use = msgspec.convert(MINIMAL["credits.use"], Use)
    assert authorise("root", use, logins) == ANY_APP
    assert authorise("web", use, logins) == USERS_OWN
    assert authorise("engine", use, logins) == OURS
    assert isinstance(authorise("mana-admin", use, logins), Error)
    assert not logins.may_use_reserved_keys("mana-worker")


def test_reserved_keys() -> None:
    assert {
        login
        for login in ("mana-admin", "mana-front", "mana-worker", "mana-payments", "chat", "", None)
        if LOGINS.may_use_reserved_keys(login)
    } == {"mana-front", "mana-worker", "mana-payments"}


def test_a_use_of_another_app() -> None:
    refused = authorise("other", msgspec.convert(MINIMAL["credits.use"], Use), LOGINS)
    assert isinstance(refused, Error)
    assert refused.code == "app_mismatch"


def test_a_refund_is_bound_to_the_logins_own_app() -> None:
    refund = msgspec.convert(MINIMAL["credits.refund"], Refund)
    assert authorise("chat", refund, LOGINS) == APP
