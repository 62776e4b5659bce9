"""What is done by the fronts, and judged by the model: the state of one example, and how it goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from tests.integration.api.users import BASE
from tests.integration.auth.links import no_link
from tests.stateful.calls import Fronts, Said, Texts, do, link_in_mail
from tests.stateful.looking import expected, look_at, stored
from tests.stateful.model import (
    Act,
    Ban,
    Change,
    EndListed,
    Guess,
    Login,
    Logout,
    LogoutAll,
    Refresh,
    Reset,
    Unban,
    World,
    outcomes,
)

T = TypeVar("T")

AGED_SECONDS = 30.0
"""A rotation of so long ago is made older than the grace, which must not end by itself while a request is under way."""


class JudgedMachine(RuleBasedStateMachine):
    """One example; ``loop`` is where the clients of ``fronts`` live."""

    def __init__(self, fronts: Fronts, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.fronts, self.loop = fronts, loop
        self.world, self.texts = World(), Texts()
        self.passwords = self.links = 0
        self.rotated = dict[int, float]()
        self.seen_dead = set[int]()
        self.whole = True

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The servers' clients live in another thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def play(self, acts: Sequence[Act], fronts: Sequence[int], *, looking: bool = True) -> None:
        """Does acts at once, each by its front; what came of it must be what some order of them comes to."""
        self.whole = False
        self.age_what_is_old()
        generations = [session.generation for session in self.world.sessions]
        said = self.wait(self.said(acts, fronts))
        told = [
            (texts, world)
            for answers, world in outcomes(self.world, acts)
            if (texts := self.texts.with_answers(answers, said)) is not None
        ]
        assert told, f"no order of {acts} comes to {said}"
        seen = self.wait(stored(self.fronts, self.texts))
        possible = [(texts, world) for texts, world in told if expected(world, texts) == seen]
        assert possible, f"{acts} came to {seen}, not to {[expected(world, texts) for texts, world in told]}"
        (self.texts, self.world), *others = possible
        assert not others, "the model cannot tell what it sees"
        for number, generation in enumerate(generations):
            if self.world.sessions[number].generation != generation:
                self.rotated[number] = time.monotonic()
        if looking:
            self.look(self.concerned(acts))
        self.whole = True

    async def said(self, acts: Sequence[Act], fronts: Sequence[int]) -> list[Said]:
        calls = (
            do(self.fronts.clients[front], self.texts, act, self.fronts.admin)
            for act, front in zip(acts, fronts, strict=True)
        )
        return await asyncio.gather(*calls)

    def compare(self) -> None:
        """The database's rows alone."""
        seen = self.wait(stored(self.fronts, self.texts))
        assert seen == expected(self.world, self.texts)
        self.whole = True

    def look(self, sessions: Iterable[int]) -> None:
        """At what both fronts say of these."""
        numbers = list(sessions)
        self.wait(look_at(self.fronts, self.texts, self.world, numbers, len(self.world.sessions) % 2))
        self.seen_dead.update(number for number in numbers if not self.world.sessions[number].live)

    def concerned(self, acts: Sequence[Act]) -> Iterator[int]:
        """The sessions of whom the acts concern; not those that were seen to be dead."""
        users = {user for act in acts for user in self.users_of(act)}
        for number, session in enumerate(self.world.sessions):
            if session.user in users and number not in self.seen_dead:
                yield number

    def users_of(self, act: Act) -> set[int]:
        match act:
            case Guess():
                return set()
            case Login(user) | Ban(user) | Unban(user) | Reset(user):
                return {user}
            case EndListed(session, other):
                return {self.world.sessions[number].user for number in (session, other)}
            case Refresh(session) | Logout(session) | LogoutAll(session) | Change(session):
                return {self.world.sessions[session].user}

    def new_password(self) -> int:
        self.passwords += 1
        return self.passwords

    def new_link(self, user: int) -> int:
        """Asks for a mail; the link in it is the only one that is good from now on. A banned user gets none."""
        self.links += 1
        answer = self.wait(
            self.fronts.clients[0].post(f"{BASE}/auth/password/forgot", json={"email": self.texts.emails[user]})
        )
        assert answer.status_code == 200, answer.text
        link = self.wait(link_in_mail(self.fronts, self.texts.emails[user]))
        assert (link is None) is self.world.users[user].banned
        self.world.users[user].link = None if link is None else self.links
        self.texts.links[user, self.links] = link or no_link()
        return self.links

    def age_what_is_old(self) -> None:
        now = time.monotonic()
        for number in [number for number, rotated in self.rotated.items() if now - rotated > AGED_SECONDS]:
            self.age(number)

    def age(self, session: int) -> None:
        """Makes the newest rotation older than the grace."""
        aged = "UPDATE auth.sessions SET rotated_at = rotated_at - interval '61 s' WHERE id = $1::text::uuid"
        self.wait(self.fronts.owner.execute(aged, self.texts.sids[session]))
        self.world.sessions[session].graced = False
        self.rotated.pop(session, None)
