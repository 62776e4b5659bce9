"""What is to be done so that the broker is as the rows say: decided on plain data."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from contracts.apps import Permission
from contracts.topology import COMMANDS_EXCHANGE, CONNECTIONS_MAX, EVENTS_EXCHANGE, app_rights
from workers.apps.deciding import decide, decide_pauses, decide_ways, in_use, left_over, next_end, paused_logins
from workers.apps.model import (
    HASHING,
    Call,
    Declared,
    Held,
    HeldBinding,
    HeldRights,
    HeldUser,
    KeptApp,
    Secret,
    Task,
    Ways,
)

VHOST = "/"
HASH = bytes(range(36))
LOGIN = "chat.k3f9x0a2b7c1"
LIMITS = {"max-connections": CONNECTIONS_MAX, "max-channels": CONNECTIONS_MAX}
NOTHING = Held({}, {})


def secret(**changed: Any) -> Secret:
    good: dict[str, Any] = {"id": "k3f9x0a2b7c1", "hash": HASH, "version": 3, "made_version": None, "gone": False}
    return Secret(**{**good, **changed})


def app(*secrets: Secret, permissions: set[Permission] | None = None, revoked: bool = False) -> KeptApp:
    granted: set[Permission] = {"events:read"} if permissions is None else permissions
    return KeptApp(id="chat", permissions=frozenset(granted), revoked=revoked, secrets=secrets)


def user(**changed: Any) -> HeldUser:
    good: dict[str, Any] = {
        "name": LOGIN,
        "password_hash": b64encode(HASH).decode(),
        "hashing_algorithm": HASHING,
        "tags": (),
        "limits": LIMITS,
    }
    return HeldUser(**{**good, **changed})


def rights(*permissions: Permission) -> HeldRights:
    made = app_rights("chat", permissions)
    return HeldRights((made.configure, made.write, made.read), (made.topics_write, made.topics_read))


def held(login: HeldUser | None = None, allowed: HeldRights | None = None) -> Held:
    name = LOGIN if login is None else login.name
    return Held({name: login or user()}, {name: allowed or rights("events:read")})


def binding(key: str, destination: str = "chat.events", kind: Any = "queue") -> HeldBinding:
    return HeldBinding(EVENTS_EXCHANGE, destination, kind, key, key.replace("#", "%23").replace("*", "%2A"))


def words(tasks: list[Task]) -> list[str]:
    """Each call in short."""
    return [f"{call.method} {call.path[0]}" for task in tasks for call in task.calls]


END = ["DELETE users", "DELETE connections"]
MAKE = ["PUT users", "PUT user-limits", "PUT user-limits", "PUT topic-permissions", "PUT permissions"]


def test_a_new_secret_becomes_a_login_with_its_limits_before_it_gets_in() -> None:
    (task,) = decide([app(secret())], NOTHING, VHOST)
    assert (task.kind, task.about, task.secret_id, task.made, task.gone) == ("made", LOGIN, "k3f9x0a2b7c1", 3, False)
    assert words([task]) == MAKE
    made = app_rights("chat", {"events:read"})
    topics = {"exchange": EVENTS_EXCHANGE, "write": "^$", "read": made.topics_read}
    assert task.calls[0].body == {
        "password_hash": b64encode(HASH).decode(),
        "hashing_algorithm": HASHING,
        "tags": "",
    }
    assert task.calls[1] == Call("PUT", ("user-limits", LOGIN, "max-connections"), {"value": CONNECTIONS_MAX})
    assert task.calls[3] == Call("PUT", ("topic-permissions", VHOST, LOGIN), topics)
    assert task.calls[4].body == {"configure": made.configure, "write": made.write, "read": made.read}


def test_what_is_as_it_should_be_is_left_alone() -> None:
    assert decide([app(secret(made_version=3))], held(), VHOST) == []


def test_another_version_that_changes_nothing_at_the_broker_is_noted() -> None:
    (task,) = decide([app(secret(made_version=2))], held(), VHOST)
    assert (task.kind, task.calls, task.made) == ("noted", (), 3)


def test_both_secrets_are_logins_at_a_time() -> None:
    tasks = decide([app(secret(made_version=3), secret(id="b" * 12))], held(), VHOST)
    assert [(task.kind, task.about) for task in tasks] == [("made", "chat." + "b" * 12)]


def test_a_revoked_secrets_login_goes_and_then_its_connections() -> None:
    (task,) = decide([app(secret(hash=None, made_version=3))], held(), VHOST)
    assert (task.kind, words([task]), task.gone, task.made) == ("removed", END, True, None)
    assert task.calls[1].path == ("connections", "username", LOGIN)
    assert task.calls[1].reason == f"user '{LOGIN}' is deleted", "whichever call meets them, they are told the same"


def test_one_that_nobody_has_seen_go_is_ended_though_the_login_is_not_there() -> None:
    assert words(decide([app(secret(hash=None))], NOTHING, VHOST)) == END


def test_one_that_is_gone_is_left_alone_and_removed_where_a_restored_broker_has_it_again() -> None:
    gone = app(secret(hash=None, gone=True))
    assert decide([gone], NOTHING, VHOST) == []
    assert words(decide([gone], held(), VHOST)) == END


def test_a_broker_that_lost_the_login_gets_it_again_and_keeps_no_connection_of_it() -> None:
    assert words(decide([app(secret(made_version=3))], NOTHING, VHOST)) == ["DELETE users", "DELETE connections", *MAKE]


@pytest.mark.parametrize(
    "wrong",
    [
        {"password_hash": b64encode(b"x" * 36).decode()},
        {"hashing_algorithm": "rabbit_password_hashing_sha512"},
        {"tags": ("administrator",)},
    ],
)
def test_a_login_that_somebody_changed_is_made_anew(wrong: dict[str, Any]) -> None:
    assert words(decide([app(secret(made_version=3))], held(user(**wrong)), VHOST)) == [*END, *MAKE]


@pytest.mark.parametrize("limits", [{}, {"max-connections": 1_000_000, "max-channels": CONNECTIONS_MAX}])
def test_limits_are_put_right_without_a_disconnection(limits: dict[str, int]) -> None:
    (task,) = decide([app(secret(made_version=3))], held(user(limits=limits)), VHOST)
    assert task.kind == "changed"
    assert {call.path[0] for call in task.calls} == {"user-limits"}


@pytest.mark.parametrize(
    ("before", "after"), [((), {"events:read"}), ((), {"admin"}), (("events:read",), {"admin", "events:read"})]
)
def test_more_rights_disconnect_nobody(before: tuple[Permission, ...], after: set[Permission]) -> None:
    (task,) = decide([app(secret(made_version=2), permissions=after)], held(None, rights(*before)), VHOST)
    assert task.kind == "changed"
    assert words([task]) == ["PUT topic-permissions", "PUT permissions"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (rights("events:read"), set[Permission]()),
        (rights("admin"), {"events:read"}),
        (HeldRights(("", "", ".*"), rights().topics), {"events:read"}),
        (HeldRights(rights("events:read").names, None), {"events:read"}),
        (HeldRights(rights("events:read").names, rights("admin").topics), {"events:read"}),
    ],
)
def test_fewer_rights_or_unknown_ones_end_its_connections(before: HeldRights, after: set[Permission]) -> None:
    """A topic permission that is missing allows every topic."""
    (task,) = decide([app(secret(made_version=2), permissions=after)], held(None, before), VHOST)
    assert words([task]) == [*END, *MAKE]


def test_who_did_not_get_in_yet_is_let_in_without_an_end() -> None:
    """Somebody stopped before the last call."""
    half = Held({LOGIN: user(limits={})}, {})
    assert words(decide([app(secret())], half, VHOST)) == MAKE[1:]


def test_who_loses_a_right_goes_first() -> None:
    shrinking = msgspec.structs.replace(app(secret(made_version=2), permissions=set()), id="mail")
    there = Held(
        {"mail.k3f9x0a2b7c1": user(name="mail.k3f9x0a2b7c1")},
        {"mail.k3f9x0a2b7c1": rights("admin")},
    )
    revoked = KeptApp(id="old", permissions=frozenset(), revoked=True, secrets=(secret(hash=None),))
    tasks = decide([app(secret()), shrinking, revoked], there, VHOST)
    assert [task.about for task in tasks] == ["old.k3f9x0a2b7c1", "mail.k3f9x0a2b7c1", LOGIN]


@pytest.mark.parametrize("key", ["credits.*.chat", "#.chat", "credits.used.chat", "*.topup_failed.chat", "*.*.chat"])
def test_bindings_to_its_own_events_stay(key: str) -> None:
    assert decide_ways([app()], Ways((binding(key),)), VHOST) == []


@pytest.mark.parametrize(
    "key", ["#", "credits.#", "*.*.other", "credits.used.chat.other", "#.#.chat", "#.credits.used.chat", ""]
)
@pytest.mark.parametrize("kind", ["queue", "exchange"])
def test_bindings_outlive_no_right(key: str, kind: str) -> None:
    (task,) = decide_ways([app()], Ways((binding(key, kind=kind),)), VHOST)
    path = ("bindings", VHOST, "e", EVENTS_EXCHANGE, kind[0], "chat.events", key)
    assert (task.kind, task.calls, task.secret_id) == ("unbound", (Call("DELETE", path),), None)


def test_an_administrators_bindings_stay_while_it_is_one() -> None:
    assert decide([app(secret(made_version=3), permissions={"admin"})], held(None, rights("admin")), VHOST) == []
    assert decide_ways([app(permissions={"admin"})], Ways((binding("#"),)), VHOST) == []


@pytest.mark.parametrize("gone", [app(revoked=True), app(permissions=set())])
def test_an_app_without_the_right_to_events_is_bound_to_none(gone: KeptApp) -> None:
    assert words(decide_ways([gone], Ways((binding("credits.*.chat"),)), VHOST)) == ["DELETE bindings"]


def test_what_no_row_names_is_left_alone() -> None:
    """Logins that somebody made by hand, our own, and another's that looks like ours."""
    strangers = ("chat", "mana-worker", "chat.zzzzzzzzzzzz", "other.k3f9x0a2b7c1")
    there = Held(
        {name: user(name=name) for name in strangers},
        {name: rights("admin") for name in strangers},
    )
    strange = ("chat", "other.events", "credits.events.log", "chatty.x")
    assert decide_ways([app()], Ways(tuple(binding("#", name) for name in strange)), VHOST) == []
    tasks = decide([app(secret())], there, VHOST)
    assert {task.about for task in tasks} == {LOGIN}


@pytest.mark.parametrize("source", [EVENTS_EXCHANGE, "chat.x", "nobodys"])
def test_nothing_is_bound_into_the_commands_exchange(source: str) -> None:
    inward = HeldBinding(source, COMMANDS_EXCHANGE, "exchange", "credits.*.chat", "credits.%2A.chat")
    (task,) = decide_ways([], Ways(inward=(inward,)), VHOST)
    path = ("bindings", VHOST, "e", source, "e", COMMANDS_EXCHANGE, "credits.*.chat")
    assert (task.kind, task.calls) == ("cut", (Call("DELETE", path),))


@pytest.mark.parametrize(
    ("name", "passes_on", "goes"),
    [
        ("chat.q", COMMANDS_EXCHANGE, True),
        ("chat.q", "chat.late", False),
        ("chat.q", None, False),
        ("others.q", COMMANDS_EXCHANGE, False),
        ("chat", COMMANDS_EXCHANGE, False),
    ],
)
def test_what_is_an_apps_and_passes_on_to_the_commands_exchange_goes(
    name: str, passes_on: str | None, goes: bool
) -> None:
    arguments = {} if passes_on is None else {"x-dead-letter-exchange": passes_on}
    tasks = decide_ways([app()], Ways(queues=(Declared(name, arguments),)), VHOST)
    assert [task.calls for task in tasks] == ([(Call("DELETE", ("queues", VHOST, name)),)] if goes else [])
    arguments = {} if passes_on is None else {"alternate-exchange": passes_on}
    tasks = decide_ways([app()], Ways(exchanges=(Declared(name, arguments),)), VHOST)
    assert [task.calls for task in tasks] == ([(Call("DELETE", ("exchanges", VHOST, name)),)] if goes else [])


def test_no_exchange_of_an_apps_own_is_bound_to_the_events() -> None:
    own = (binding("credits.*.chat", "chat.x", "exchange"),)
    assert [task.kind for task in decide_ways([app()], Ways(own), VHOST)] == ["unbound"]
    assert decide_ways([app(permissions={"admin"})], Ways(own), VHOST) == []


def paused_rights(*permissions: Permission) -> HeldRights:
    made = app_rights("chat", permissions, paused=True)
    return HeldRights((made.configure, made.write, made.read), (made.topics_write, made.topics_read))


def test_a_pause_takes_the_way_to_the_commands_and_nothing_else() -> None:
    made, paused = app_rights("chat", {"events:read"}), app_rights("chat", {"events:read"}, paused=True)
    own = r"chat\..*"
    assert (made.write, paused.write) == (rf"^(credits\.commands|{own})$", rf"^({own})$")
    assert (made.configure, made.read, made.topics_read) == (paused.configure, paused.read, paused.topics_read)


def test_who_is_paused_is_ended_at_once_and_only_once() -> None:
    chat = app(secret(paused_s=5.0), secret(id="b" * 12), secret(id="c" * 12, hash=None, paused_s=5.0))
    (task,) = decide_pauses([chat], [])
    assert (task.kind, task.about, words([task])) == ("paused", LOGIN, END)
    assert (task.secret_id, task.made, task.gone) == (None, None, False)
    assert paused_logins([chat]) == [LOGIN]
    assert decide_pauses([chat], paused_logins([chat])) == []


def test_who_was_ended_for_a_pause_gets_its_login_back_with_less() -> None:
    (task,) = decide([app(secret(made_version=3, paused_s=5.0))], NOTHING, VHOST)
    assert words([task]) == END + MAKE
    made = app_rights("chat", {"events:read"}, paused=True)
    assert task.calls[-1].body == {"configure": made.configure, "write": made.write, "read": made.read}


def test_a_keeper_that_begins_during_a_pause_finds_who_has_too_much_and_who_has_not() -> None:
    paused = app(secret(made_version=3, paused_s=5.0))
    assert words(decide([paused], held(), VHOST)) == END + MAKE
    assert decide([paused], held(allowed=paused_rights("events:read")), VHOST) == []


@pytest.mark.parametrize("permissions", [{"events:read"}, {"events:read", "admin"}])
def test_the_end_of_a_pause_disconnects_nobody(permissions: set[Permission]) -> None:
    """Whoever sees it: the keeper that made the pause may be gone."""
    over = app(secret(made_version=3), permissions=permissions)
    (task,) = decide([over], held(allowed=paused_rights("events:read")), VHOST)
    assert {call.method for call in task.calls} == {"PUT"}
    assert (task.calls[-1].body or {})["write"] == app_rights("chat", permissions).write


def test_the_next_end_of_a_pause_is_the_soonest() -> None:
    assert next_end([app(secret())]) is None
    assert next_end([app(secret(paused_s=9.0), secret(id="b" * 12)), app(secret(paused_s=2.5))]) == 2.5


def test_what_a_revoked_app_has_left_goes() -> None:
    """But what goes with its connection, and what is another's."""
    names = ("chat.q", "chat", "chatty.q", "others.q", "credits.dead", "amq.gen-x")
    left = tuple(Declared(name, {}) for name in names)
    there = Ways(
        queues=(*left, Declared("chat.own", {}, exclusive=True)), exchanges=(Declared("chat.x", {}), *left[1:])
    )
    tasks = decide_ways([app(revoked=True)], there, VHOST)
    assert [(task.kind, task.calls) for task in tasks] == [
        ("dropped", (Call("DELETE", ("queues", VHOST, "chat.q")),)),
        ("dropped", (Call("DELETE", ("exchanges", VHOST, "chat.x")),)),
    ]
    assert decide_ways([app(secret(hash=None))], there, VHOST) == [], "not where a secret is revoked alone"


def test_secrets_in_use_are_those_of_logins_that_are_there() -> None:
    revoked = secret(id="zzzzzzzzzzzz", hash=None)
    assert in_use([app(secret(), revoked)], {LOGIN, "chat.zzzzzzzzzzzz", "chat", "mana-front"}) == ["k3f9x0a2b7c1"]
    assert in_use([app(secret())], {"other.k3f9x0a2b7c1"}) == []


def test_whoever_is_logged_in_by_a_login_that_is_gone_is_left_over() -> None:
    there = {LOGIN, "chat.zzzzzzzzzzzz", "chat.yyyyyyyyyyyy", "mana-front"}
    gone, going = secret(id="zzzzzzzzzzzz", hash=None, gone=True), secret(id="yyyyyyyyyyyy", hash=None)
    assert left_over([app(secret(), gone, going)], there) == ["chat.zzzzzzzzzzzz"]
    assert left_over([app(secret(), gone, going)], {LOGIN}) == []
