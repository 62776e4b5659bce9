"""What is to be done so that the broker is as the rows say. Pure.

Nothing is touched but logins that a row names, queues, exchanges and bindings that bear the name of an app's own, and
ways into the commands' exchange other than publishing. Who may publish there may also, for RabbitMQ asks no more, bind
another exchange to it, or have a queue or an exchange pass on there what it cannot keep: then events would come as
commands, for ever, and also once the app is gone.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import unquote

from contracts.apps import Permission, app_of, own_names
from contracts.topology import COMMANDS_EXCHANGE, CONNECTIONS_MAX, EVENTS_EXCHANGE, AppRights, app_rights
from workers.apps.model import (
    HASHING,
    NO_RIGHTS,
    Call,
    Declared,
    Held,
    HeldBinding,
    HeldRights,
    HeldUser,
    KeptApp,
    Kind,
    Secret,
    Task,
    Ways,
)

_LIMITS: Final = {"max-connections": CONNECTIONS_MAX, "max-channels": CONNECTIONS_MAX}
_PASSES_ON: Final = "x-dead-letter-exchange"
_ELSE_TO: Final = "alternate-exchange"
_LEVELS: Final[tuple[frozenset[Permission], ...]] = (
    frozenset(),
    frozenset({"events:read"}),
    frozenset({"admin"}),
)
"""The permissions that are rights at the broker, each with all that the ones before it give."""


def decide(apps: Sequence[KeptApp], held: Held, vhost: str) -> list[Task]:
    """What is to be done about logins, in this order: who has lost a right waits for nobody else's login."""
    removed = [task for app in apps for secret in app.secrets for task in _removed(app, secret, held)]
    kept = [task for app in apps for secret in app.secrets for task in _kept(app, secret, held, vhost)]
    return [*removed, *sorted(kept, key=lambda task: not _takes_away(task))]


def decide_ways(apps: Sequence[KeptApp], ways: Ways, vhost: str) -> list[Task]:
    """What is to be taken away of the ways that messages go."""
    known = {app.id: app for app in apps}
    return [
        *(_unbound("unbound", binding, vhost) for binding in ways.bindings if not _may_be_bound(binding, known)),
        *(_unbound("cut", binding, vhost) for binding in ways.inward),
        *_ended("queues", ways.queues, _PASSES_ON, known, vhost),
        *_ended("exchanges", ways.exchanges, _ELSE_TO, known, vhost),
    ]


def decide_pauses(apps: Sequence[KeptApp], ended: Collection[str]) -> list[Task]:
    """Whose login is to be ended at once, without a look at the broker: paused ones but those that are ``ended``.

    They are made again, with less rights, by what :func:`decide` says.
    """
    paused = [login for login in paused_logins(apps) if login not in ended]
    return [Task(kind="paused", about=login, calls=end(login)) for login in paused]


def paused_logins(apps: Sequence[KeptApp]) -> list[str]:
    """The logins that are paused now."""
    return [app.login(each) for app in apps for each in app.secrets if each.hash is not None and each.paused_s > 0]


def next_end(apps: Sequence[KeptApp]) -> float | None:
    """After how many seconds the next pause of a login is over; ``None`` where none is paused."""
    return min((secret.paused_s for app in apps for secret in app.secrets if secret.paused_s > 0), default=None)


def in_use(apps: Sequence[KeptApp], logged_in: Collection[str]) -> list[str]:
    """The secrets by which somebody is logged in."""
    return [secret.id for app in apps for secret in app.secrets if secret.hash and app.login(secret) in logged_in]


def left_over(apps: Sequence[KeptApp], logged_in: Collection[str]) -> list[str]:
    """The logins that are gone, and by which somebody is logged in all the same: the broker knows of a connection a
    moment after it has let it in, and whoever came in that moment was not among those that it ended."""
    gone = [app.login(secret) for app in apps for secret in app.secrets if secret.hash is None and secret.gone]
    return [login for login in gone if login in logged_in]


def _takes_away(task: Task) -> bool:
    return any(call.method == "DELETE" for call in task.calls)


def _removed(app: KeptApp, secret: Secret, held: Held) -> Iterator[Task]:
    """Also of one that was gone before: a broker that was restored may have it again."""
    login = app.login(secret)
    if secret.hash is None and (login in held.users or not secret.gone):
        yield Task(kind="removed", about=login, calls=end(login), secret_id=secret.id, gone=True)


def _kept(app: KeptApp, secret: Secret, held: Held, vhost: str) -> Iterator[Task]:
    if secret.hash is None:
        return
    login = app.login(secret)
    user, rights = held.users.get(login), held.rights.get(login, NO_RIGHTS)
    paused = secret.paused_s > 0
    wanted = app_rights(app.id, app.permissions, paused=paused)
    whole = _made(login, secret.hash, wanted, vhost)
    if user is None or not _is_of(user, secret.hash) or _shrinks(app, rights, paused=paused):
        # Channels remember what they were allowed: they go, and with their login, so that nobody who stops between two
        # of these calls leaves them. A login that is made for the first time has none.
        ended = () if user is None and secret.made_version is None else end(login)
        yield Task(kind="made", about=login, calls=(*ended, *whole), secret_id=secret.id, made=secret.version)
        return
    there = [*_user_calls(user, login), *_rights_calls(rights, login, vhost)]
    lacking = tuple(call for call in whole[1:] if call not in there)
    if lacking or secret.made_version != secret.version:
        kind = "changed" if lacking else "noted"
        yield Task(kind=kind, about=login, calls=lacking, secret_id=secret.id, made=secret.version)


def _made(login: str, hashed: bytes, wanted: AppRights, vhost: str) -> tuple[Call, ...]:
    """The permissions come last: who has none does not get in, and so nobody gets in without all limits."""
    user = {"password_hash": b64encode(hashed).decode(), "hashing_algorithm": HASHING, "tags": ""}
    return (
        Call("PUT", ("users", login), user),
        *(_limit(login, name, most) for name, most in _LIMITS.items()),
        _topics(login, vhost, (wanted.topics_write, wanted.topics_read)),
        _names(login, vhost, (wanted.configure, wanted.write, wanted.read)),
    )


def end(login: str) -> tuple[Call, ...]:
    """What ends a login: the broker ends a deleted one's connections itself; the second call is for those that it may
    not know yet, and tells whom it meets first the same."""
    return (
        Call("DELETE", ("users", login)),
        Call("DELETE", ("connections", "username", login), reason=f"user '{login}' is deleted"),
    )


def _user_calls(user: HeldUser, login: str) -> Iterator[Call]:
    for name, most in user.limits.items():
        yield _limit(login, name, most)


def _rights_calls(rights: HeldRights, login: str, vhost: str) -> Iterator[Call]:
    """The calls that would make what is there."""
    if rights.topics is not None:
        yield _topics(login, vhost, rights.topics)
    if rights.names is not None:
        yield _names(login, vhost, rights.names)


def _limit(login: str, name: str, most: int) -> Call:
    return Call("PUT", ("user-limits", login, name), {"value": most})


def _topics(login: str, vhost: str, topics: tuple[str, str]) -> Call:
    write, read = topics
    return Call("PUT", ("topic-permissions", vhost, login), {"exchange": EVENTS_EXCHANGE, "write": write, "read": read})


def _names(login: str, vhost: str, names: tuple[str, str, str]) -> Call:
    configure, write, read = names
    return Call("PUT", ("permissions", vhost, login), {"configure": configure, "write": write, "read": read})


def _is_of(user: HeldUser, hashed: bytes) -> bool:
    expected = b64encode(hashed).decode()
    return user.password_hash == expected and user.hashing_algorithm == HASHING and not user.tags


def _shrinks(app: KeptApp, held: HeldRights, *, paused: bool) -> bool:
    """Whether the login may do now what it is not to do any more, as far as that can be told."""
    if held.names is None:
        return False  # it does not even get in
    levels = _LEVELS[: _level(app.permissions) + 1]
    lesser = {True} if paused else {True, False}
    return held not in [_as_held(app_rights(app.id, level, paused=less)) for level in levels for less in lesser]


def _level(permissions: Iterable[Permission]) -> int:
    return max(number for number, level in enumerate(_LEVELS) if level <= {*permissions})


def _as_held(rights: AppRights) -> HeldRights:
    return HeldRights((rights.configure, rights.write, rights.read), (rights.topics_write, rights.topics_read))


def _may_be_bound(binding: HeldBinding, known: dict[str, KeptApp]) -> bool:
    """Bindings outlive the right to make them. Whoever bears no registered app's name is none of our business."""
    app = known.get(app_of(binding.destination))
    if app is None or not binding.destination.startswith(own_names(app.id)):
        return True
    if app.revoked or _level(app.permissions) == 0:
        return False
    if binding.destination_type == "exchange" and "admin" not in app.permissions:
        return False  # whatever is bound to an exchange of its own is judged by nobody
    return re.search(app_rights(app.id, app.permissions).topics_read, binding.routing_key) is not None


def _unbound(kind: Kind, binding: HeldBinding, vhost: str) -> Task:
    path = ("bindings", vhost, "e", binding.source, binding.destination_type[0], binding.destination)
    call = Call("DELETE", (*path, unquote(binding.properties_key)))
    return Task(kind=kind, about=binding.destination, calls=(call,))


def _ended(
    path: str, there: Iterable[Declared], argument: str, known: dict[str, KeptApp], vhost: str
) -> Iterator[Task]:
    """Those that lead in, and all of an app that is revoked: nobody will ever read or delete them. What is exclusive
    goes with its connection, which has been ended, and cannot be deleted before."""
    for each in there:
        app = known.get(app_of(each.name))
        if app is None or not each.name.startswith(own_names(app.id)):
            continue
        if app.revoked and not each.exclusive:
            yield _deleted("dropped", path, each, vhost)
        elif each.arguments.get(argument) == COMMANDS_EXCHANGE:
            yield _deleted("cut", path, each, vhost)


def _deleted(kind: Kind, path: str, declared: Declared, vhost: str) -> Task:
    """What it was declared with cannot be changed, so all of it goes."""
    return Task(kind=kind, about=declared.name, calls=(Call("DELETE", (path, vhost, declared.name)),))
