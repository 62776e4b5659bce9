"""Sessions as CONTRACT.md (section 3) and SECURITY.md ("Refresh rotation") tell of them, on plain data.

Users, sessions and links are numbers; a refresh token is its session's number and its generation. Nothing here knows
how the front does it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Literal, TypeAlias

SESSIONS_MAX = 3
"""Of one user's that live at once, the oldest makes room."""


@dataclass
class User:
    """``proofs`` counts what voids all that was begun before: another password, a logout everywhere, a ban."""

    password: int
    banned: bool = False
    link: int | None = None
    proofs: int = 0
    reused: int = 0
    retried: int = 0


@dataclass
class Session:
    """``graced``: the newest rotation is not longer ago than the grace."""

    user: int
    generation: int = 1
    graced: bool = False
    live: bool = True


@dataclass
class World:
    """Everybody; sessions in the order in which they began."""

    users: list[User] = field(default_factory=list[User])
    sessions: list[Session] = field(default_factory=list[Session])

    def living(self, user: int) -> list[int]:
        """The user's sessions that live, oldest first."""
        return [number for number, session in enumerate(self.sessions) if session.user == user and session.live]

    def end(self, user: int, but: int | None = None) -> None:
        """Ends all of a user's sessions, or all but one."""
        for number in self.living(user):
            self.sessions[number].live = number == but


@dataclass(frozen=True)
class Pair:
    """The tokens of a session: the refresh token is of that generation."""

    session: int
    generation: int


Word: TypeAlias = Literal["done", "unauthorized", "forbidden", "not_found", "invalid_request"]
Answer: TypeAlias = Pair | Word


@dataclass(frozen=True)
class Login:
    """With the right password or another."""

    user: int
    password: int


@dataclass(frozen=True)
class Refresh:
    """With any token that the session ever had."""

    session: int
    generation: int


@dataclass(frozen=True)
class Guess:
    """A refresh with a token that is none."""

    text: str


@dataclass(frozen=True)
class Logout:
    """Of the session that asks."""

    session: int


@dataclass(frozen=True)
class LogoutAll:
    """Of all sessions of the user whose session asks."""

    session: int


@dataclass(frozen=True)
class EndListed:
    """One session ends another, which may be itself, or a stranger's."""

    session: int
    other: int


@dataclass(frozen=True)
class Ban:
    """By an administrator."""

    user: int


@dataclass(frozen=True)
class Unban:
    """By an administrator."""

    user: int


@dataclass(frozen=True)
class Change:
    """Of the password, by a session."""

    session: int
    current: int
    new: int


@dataclass(frozen=True)
class Reset:
    """Of the password, by the link of a mail."""

    user: int
    link: int
    new: int


Act: TypeAlias = Login | Refresh | Guess | Logout | LogoutAll | EndListed | Ban | Unban | Change | Reset
Outcome: TypeAlias = tuple[tuple[Answer, ...], World]


def outcomes(world: World, acts: Sequence[Act]) -> list[Outcome]:
    """What may come of acts that run at once, each answer in its act's place: what some order of them comes to."""
    found = list[Outcome]()
    for order in permutations(range(len(acts))):
        for answers, after in _in_order(world, [acts[place] for place in order], begun=world):
            by_place = dict(zip(order, answers, strict=True))
            outcome: Outcome = tuple(by_place[place] for place in range(len(acts))), after
            if outcome not in found:
                found.append(outcome)
    return found


def _in_order(world: World, acts: Sequence[Act], begun: World) -> Iterator[Outcome]:
    if not acts:
        yield (), world
        return
    for answer, after in _possible(world, acts[0], begun):
        for answers, last in _in_order(after, acts[1:], begun):
            yield (answer, *answers), last


def _possible(world: World, act: Act, begun: World) -> Iterator[tuple[Answer, World]]:
    """What an act comes to, begun when the world was another, at the latest now."""
    after = copy.deepcopy(world)
    answer = act_on(after, act)
    yield answer, after
    match act:
        case Login(user) if world.users[user].proofs != begun.users[user].proofs:
            yield "unauthorized", world  # what was begun before is worth nothing
        case Logout(session) if answer == "unauthorized" and begun.sessions[session].live:
            yield "done", world  # it was let in, and the session has ended as it wished
        case _:
            pass


def act_on(world: World, act: Act) -> Answer:
    """Does it, and answers."""
    match act:
        case Login(user, password):
            return _log_in(world, user, password)
        case Refresh(session, generation):
            return _refresh(world, world.sessions[session], session, generation)
        case Guess():
            return "unauthorized"
        case Ban(user):
            return _ban(world, user)
        case Unban(user):
            world.users[user].banned = False
            return "done"
        case Reset(user, link, new):
            return _reset(world, user, link, new)
        case Logout(session) | LogoutAll(session) | EndListed(session) | Change(session):
            return _act_in_session(world, act) if world.sessions[session].live else "unauthorized"


def _log_in(world: World, user: int, password: int) -> Answer:
    if world.users[user].banned or world.users[user].password != password:
        return "unauthorized"
    living = world.living(user)
    for surplus in living[: max(0, len(living) + 1 - SESSIONS_MAX)]:
        world.sessions[surplus].live = False
    world.sessions.append(Session(user))
    return Pair(len(world.sessions) - 1, 1)


def _refresh(world: World, session: Session, number: int, generation: int) -> Answer:
    """The table of SECURITY.md."""
    if not session.live:
        return "unauthorized"
    user = world.users[session.user]
    if generation == session.generation:
        session.generation += 1
        session.graced = True
        return Pair(number, session.generation)
    if generation == session.generation - 1 and session.graced:
        user.retried += 1
        return Pair(number, session.generation)
    session.live = False
    user.reused += 1
    return "unauthorized"


def _ban(world: World, number: int) -> Answer:
    user = world.users[number]
    if not user.banned:
        user.banned, user.link = True, None
        user.proofs += 1
        world.end(number)
    return "done"


def _reset(world: World, number: int, link: int, new: int) -> Answer:
    user = world.users[number]
    if user.link != link:
        return "invalid_request"
    user.password, user.link = new, None
    user.proofs += 1
    world.end(number)
    return "done"


def _act_in_session(world: World, act: Logout | LogoutAll | EndListed | Change) -> Answer:
    number = world.sessions[act.session].user
    user = world.users[number]
    match act:
        case Logout(session):
            world.sessions[session].live = False
        case LogoutAll():
            user.link = None
            user.proofs += 1
            world.end(number)
        case EndListed(_, other):
            if other not in world.living(number):
                return "not_found"
            world.sessions[other].live = False
        case Change(session, current, new):
            if current != user.password:
                return "forbidden"
            user.password, user.link = new, None
            user.proofs += 1
            world.end(number, but=session)
    return "done"
