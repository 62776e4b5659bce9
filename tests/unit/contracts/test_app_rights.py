"""Goal: a registered app may what its row says, by each way it can ask, and is answered at its own places alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from contracts.apps import DEFAULT_PERMISSIONS, PERMISSIONS, App, Permission
from contracts.commands import COMMANDS, OUR_OWN
from contracts.decoding import Accepted, Envelope, Rejected, decode
from contracts.errors import Error
from contracts.permissions import Actor, Logins, authorise, may_be_answered_at
from tests.unit.contracts.examples import MINIMAL, OF_PAYMENTS, TOKEN, USER

LOGINS = Logins()
FRONT = "mana-front"
SECRET = "chat.k3f9x0a2b7c1"
NEEDED: dict[str, Permission | None] = {
    "credits.use": "credits:use",
    "credits.refund": "credits:refund",
    "credits.grant": "credits:grant",
    "credits.adjust": "credits:adjust",
    "credits.balance": None,
}
"""For each command that an app can be allowed, the permission that it takes."""
OURS = {command.type for command in OUR_OWN}


def _asked(name: str, permissions: set[Permission], login: str = SECRET, on_behalf: object = None) -> Actor | str:
    apps = {"chat": App("chat", frozenset(permissions))}
    command = msgspec.convert(MINIMAL.get(name) or OF_PAYMENTS.get(name, {"userId": USER}), COMMANDS[name])
    decided = authorise(login, command, LOGINS, apps, on_behalf)
    return decided.code if isinstance(decided, Error) else decided


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize(("login", "on_behalf"), [(SECRET, None), ("chat", None), (FRONT, "chat")])
def test_one_permission_allows_one_command(
    name: str, permission: Permission, login: str, on_behalf: str | None
) -> None:
    verdict = _asked(name, {permission}, login, on_behalf)
    if name in OURS:
        assert verdict == "forbidden"
    elif permission == "admin":
        assert verdict == Actor("app")
    elif name in NEEDED and NEEDED[name] in (None, permission):
        assert verdict == Actor("app", app_id="chat")
    else:
        assert verdict == "forbidden"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("login", [SECRET, "chat"])
def test_whoever_lacks_a_permission_is_told_which(name: str, login: str) -> None:
    """In words and for programs; of what no app may ever send there is none to tell."""
    apps = {"chat": App("chat", frozenset())}
    command = msgspec.convert(MINIMAL.get(name) or OF_PAYMENTS.get(name, {"userId": USER}), COMMANDS[name])
    refused = authorise(login, command, LOGINS, apps)
    needed = NEEDED.get(name, "admin")
    if needed is None:
        assert isinstance(refused, Actor)
        return
    assert isinstance(refused, Error)
    assert refused.details == ({} if name in OURS else {"permission": needed})
    assert refused.message.endswith(f"without the permission {needed}") == (name not in OURS)


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_a_revoked_secrets_login_may_nothing_and_the_apps_others_go_on(permission: Permission) -> None:
    apps = {"chat": App("chat", frozenset({permission, "credits:use"}), revoked_secrets=frozenset({"k3f9x0a2b7c1"}))}
    use = msgspec.convert(MINIMAL["credits.use"], COMMANDS["credits.use"])
    refused = authorise(SECRET, use, LOGINS, apps)
    assert isinstance(refused, Error)
    assert refused.code == "forbidden"
    for login, on_behalf in (("chat.zzzzzzzzzzzz", None), (FRONT, "chat"), ("chat", None)):
        assert isinstance(authorise(login, use, LOGINS, apps, on_behalf), Actor)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(("login", "on_behalf"), [(SECRET, None), ("chat", None), (FRONT, "chat")])
def test_a_revoked_app_may_nothing(name: str, login: str, on_behalf: str | None) -> None:
    apps = {"chat": App("chat", frozenset(PERMISSIONS), revoked=True)}
    command = msgspec.convert(MINIMAL.get(name) or OF_PAYMENTS.get(name, {"userId": USER}), COMMANDS[name])
    refused = authorise(login, command, LOGINS, apps, on_behalf)
    assert isinstance(refused, Error)
    assert refused.code == "forbidden"


@pytest.mark.parametrize("on_behalf", ["other", "", "chat.k3f9x0a2b7c1", 7, b""])
def test_the_front_speaks_for_registered_apps_alone(on_behalf: object) -> None:
    for name in COMMANDS:
        assert _asked(name, set(PERMISSIONS), FRONT, on_behalf) == "forbidden"


def test_only_the_front_is_believed() -> None:
    assert _asked("credits.use", set(), "mana-admin", "chat") == Actor("app")
    assert _asked("credits.use", set(), "mana-worker", "chat") == Actor("system")
    assert _asked("credits.use", {"admin"}, "stranger", "chat") == "app_mismatch"
    assert _asked("credits.grant", {"admin"}, "stranger", "chat") == "forbidden"
    assert _asked("credits.use", {"admin"}, "mana-payments", "chat") == "forbidden"


def test_an_app_stays_within_its_own_id_unless_it_administers() -> None:
    apps = {"other": App("other", DEFAULT_PERMISSIONS), "root": App("root", frozenset({"admin"}))}
    use = msgspec.convert(MINIMAL["credits.use"], COMMANDS["credits.use"])
    refused = authorise("other.k3f9x0a2b7c1", use, LOGINS, apps)
    assert isinstance(refused, Error)
    assert refused.code == "app_mismatch"
    assert authorise("root.k3f9x0a2b7c1", use, LOGINS, apps) == Actor("app")


def test_an_app_may_use_no_key_of_ours_by_the_front_either() -> None:
    assert LOGINS.may_use_reserved_keys(FRONT)
    assert not LOGINS.may_use_reserved_keys(FRONT, "chat")
    assert not LOGINS.may_use_reserved_keys(SECRET)
    apps = {"chat": App("chat", frozenset({"admin"}))}
    body = json.dumps({**MINIMAL["credits.grant"], "idempotencyKey": "mana:x"}).encode()
    given: dict[str, Any] = {"routing_key": USER, "type": "credits.grant", "login": FRONT}
    refused = decode(Envelope(**given, on_behalf="chat"), body, LOGINS, apps=apps)
    assert isinstance(refused, Rejected)
    assert refused.error.code == "invalid_request"


REGISTERED = {"chat": App("chat", DEFAULT_PERMISSIONS), "gone": App("gone", DEFAULT_PERMISSIONS, revoked=True)}
PLACES: dict[str, dict[str | None, bool]] = {
    # where the reply is to go: who asks, and whether it may go there
    TOKEN: dict.fromkeys([SECRET, "chat", "gone.k3f9x0a2b7c1", "plain", "made.byhand", "mana-admin", FRONT], True),
    "chat.replies": {SECRET: True, "chat": True, "gone": False, "plain": False, "made.byhand": False,
                     "mana-admin": True, FRONT: True, None: False},
    "gone.replies": {SECRET: False, "gone.k3f9x0a2b7c1": True, "plain": False, "mana-admin": True},
    "plain.replies": {SECRET: False, "chat": False, "plain": True, "other": True, "made.byhand": False, None: False},
    "replies": {SECRET: False, "plain": True, "made.byhand": False, "mana-admin": True, None: False, "": False},
    "chat": {SECRET: False, "plain": False, "mana-admin": True},
    "chatter.replies": {SECRET: False, "plain": True},
    "made.replies": {"made.byhand": True, SECRET: False},
    "amq.gen-JzTY20BRgKO-HjmUJj0wLg": {SECRET: False, "chat": False, "plain": True, "made.byhand": False,
                                       "mana-admin": True, None: False},
    "": {SECRET: True, None: True},
}  # fmt: skip


@pytest.mark.parametrize(
    ("place", "login", "allowed"),
    [(place, login, allowed) for place, row in PLACES.items() for login, allowed in row.items()],
)
def test_where_a_login_may_be_answered(place: str, login: str | None, allowed: bool) -> None:
    assert may_be_answered_at(place, login, LOGINS, REGISTERED) is allowed
    body = json.dumps(MINIMAL["credits.use"]).encode()
    decoded = decode(
        Envelope(routing_key=USER, type="credits.use", login=login, reply_to=place), body, LOGINS, apps=REGISTERED
    )
    if allowed:
        assert decoded.reply_to == (place or None)
    else:
        assert isinstance(decoded, Rejected)
        assert (decoded.error.code, decoded.reply_to, decoded.keep) == ("invalid_request", None, True)


def test_without_a_directory_apps_have_the_contracts_rights() -> None:
    envelope = Envelope(routing_key=USER, type="credits.use", login=SECRET)
    accepted = decode(envelope, json.dumps(MINIMAL["credits.use"]).encode(), LOGINS)
    assert isinstance(accepted, Accepted)
    assert accepted.actor == Actor("app", app_id="chat")
