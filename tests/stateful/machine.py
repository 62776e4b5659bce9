"""Users, their clients, thieves and an administrator: what they do in any order, by two fronts."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.integration.api.users import BASE, new_email
from tests.stateful.calls import Front, password, refresh_unheard
from tests.stateful.judged import JudgedMachine
from tests.stateful.model import (
    Act,
    Ban,
    Change,
    EndListed,
    Guess,
    Login,
    Logout,
    LogoutAll,
    Pair,
    Refresh,
    Reset,
    Unban,
    User,
    outcomes,
)

USERS_MAX = 3

Kind = Literal[
    "refresh", "retry", "reuse", "login", "logout", "logout all", "end another", "end itself", "ban", "unban",
    "change", "reset",
]  # fmt: skip
GUESSES = ("random", "altered", "hash", "access")
ENDS = ("logout", "logout all", "end another", "end itself", "ban", "change", "reset")
_BACK = {"refresh": 0, "retry": 1, "reuse": 2}
KINDS = st.sampled_from(Kind.__args__)
FRONTS = st.sampled_from([0, 1])
PICK = st.integers(0, 7)
"""Of what there is; small numbers are the newest."""


class SessionMachine(JudgedMachine):
    """The rules; a number picks one of what there is."""

    @initialize(fronts=st.tuples(FRONTS, FRONTS))
    def first_users(self, fronts: tuple[Front, Front]) -> None:
        for user, front in enumerate(fronts):
            self.register(front)
            self.log_in(user, front, right=True)

    @rule(front=FRONTS)
    def register(self, front: Front) -> None:
        if len(self.world.users) == USERS_MAX:
            return
        email, number = new_email(), self.new_password()
        body = {"email": email, "password": password(number)}
        answer = self.wait(self.fronts.clients[front].post(f"{BASE}/auth/register", json=body))
        assert answer.status_code == 201, answer.text
        self.world.users.append(User(number))
        self.texts.emails.append(email)
        self.texts.ids.append(answer.json()["id"])

    @rule(user=PICK, front=FRONTS, right=st.sampled_from([True, True, True, False]))
    def log_in(self, user: int, front: Front, right: bool) -> None:
        number = user % len(self.world.users)
        self.play([Login(number, self.world.users[number].password if right else self.new_password())], [front])

    @rule(session=PICK, back=st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3]), front=FRONTS)
    def refresh(self, session: int, back: int, front: Front) -> None:
        self.play([self.refresh_of(self.pick(session), back)], [front])

    @rule(session=PICK, front=FRONTS, retries=st.lists(FRONTS, max_size=2))
    def lose_an_answer(self, session: int, front: Front, retries: list[Front]) -> None:
        """The client has the old token only, until it asks again."""
        number = self.pick(session)
        current = self.world.sessions[number]
        token = self.texts.tokens.get(Pair(number, current.generation))
        if not current.live or token is None:
            return
        self.whole = False
        self.wait(refresh_unheard(self.fronts.clients[front], self.fronts, self.texts.sids[number], token))
        ((_, self.world),) = outcomes(self.world, [Refresh(number, current.generation)])
        self.rotated[number] = time.monotonic()
        self.compare()
        for retry in retries:
            self.play([Refresh(number, current.generation)], [retry])

    @rule(session=PICK, retried=st.booleans(), front=FRONTS)
    def let_the_grace_pass(self, session: int, retried: bool, front: Front) -> None:
        number = self.pick(session)
        self.age(number)
        if retried:
            self.play([self.refresh_of(number, 1)], [front])

    @rule(kind=st.sampled_from(GUESSES), session=PICK, front=FRONTS)
    def guess(self, kind: str, session: int, front: Front) -> None:
        """What might be a token: among it what a thief of the database has."""
        number = self.pick(session)
        token = self.texts.tokens[Pair(number, self.texts.known(number)[-1])]
        secret = base64.urlsafe_b64decode(token + "=")
        texts = {
            "random": _text(secrets.token_bytes(32)),
            "altered": _text(bytes([secret[0] ^ 1]) + secret[1:]),
            "hash": _text(hashlib.sha256(secret).digest()),
            "access": self.texts.access[number][-1],
        }
        self.play([Guess(texts[kind])], [front], looking=False)

    @rule(kind=st.sampled_from(ENDS), session=PICK, other=PICK, front=FRONTS)
    def act(self, kind: Kind, session: int, other: int, front: Front) -> None:
        self.play([self.act_of(kind, self.pick(session), self.pick(other))], [front])

    @rule(session=PICK, front=FRONTS, wrong=st.booleans())
    def change_password(self, session: int, front: Front, wrong: bool) -> None:
        number = self.pick(session)
        right = self.world.users[self.world.sessions[number].user].password
        self.play([Change(number, self.new_password() if wrong else right, self.new_password())], [front])

    @rule(session=PICK, back=st.sampled_from([0, 1, 2]), fronts=st.tuples(FRONTS, FRONTS))
    def ban_for_a_while(self, session: int, back: int, fronts: tuple[Front, Front]) -> None:
        """What was ended by it stays ended."""
        number = self.pick(session)
        act, user = self.refresh_of(number, back), self.world.sessions[number].user
        for banning in (Ban(user), Unban(user)):
            self.play([banning], fronts[:1])
            self.play([act], fronts[1:])

    @rule(user=PICK, link=PICK, front=FRONTS)
    def use_an_old_link(self, user: int, link: int, front: Front) -> None:
        known = list(self.texts.links)
        if known:
            owner, number = known[-1 - link % len(known)]
            self.play([Reset(owner, number, self.new_password())], [front])

    @rule(kinds=st.lists(KINDS, min_size=2, max_size=3), session=PICK, other=PICK, front=FRONTS)
    def race(self, kinds: list[Kind], session: int, other: int, front: Front) -> None:
        """Of one user's session and another, at the same time, by both fronts in turn."""
        number = self.pick(session)
        acts = [self.act_of(kind, number, self.sibling(number, other)) for kind in kinds]
        self.play(acts, [front if place % 2 == 0 else 1 - front for place in range(len(acts))])

    @rule(kind=st.sampled_from(ENDS), session=PICK, other=PICK, back=st.sampled_from([0, 0, 1]), front=FRONTS)
    def refresh_against(self, kind: Kind, session: int, other: int, back: int, front: Front) -> None:
        """Of what ends the very session, or not."""
        number = self.pick(session)
        act = self.act_of(kind, self.sibling(number, other), number)
        self.play([self.refresh_of(number, back), act], [front, 1 - front])

    @rule(session=PICK, front=FRONTS)
    def refresh_by_both(self, session: int, front: Front) -> None:
        """The commonest race of all: windows of one browser, each with the same token."""
        act = self.refresh_of(self.pick(session), 0)
        self.play([act] * 4, [0, 1, 0, 1])

    def teardown(self) -> None:
        """Every token that anybody ever had is presented, and everybody is looked at once more."""
        if not self.whole:
            return
        for number in range(len(self.world.sessions)):
            for generation in reversed(self.texts.known(number)):
                self.play([Refresh(number, generation)], [number % 2], looking=False)
        self.look(range(len(self.world.sessions)))

    def pick(self, number: int) -> int:
        """Mostly a session that lives, the newest first; sometimes any. Where none lives, somebody signs in again."""
        everything = range(len(self.world.sessions))
        if number >= 6:
            return everything[-1 - number % len(everything)]
        living = [session for session in everything if self.world.sessions[session].live]
        if not living:
            user = number % len(self.world.users)
            if self.world.users[user].banned:
                self.play([Unban(user)], [number % 2])
            self.play([Login(user, self.world.users[user].password)], [number % 2])
            return everything.stop
        return living[-1 - number % len(living)]

    def sibling(self, session: int, number: int) -> int:
        """A session of the same user, the same one perhaps."""
        choice = self.world.living(self.world.sessions[session].user) or [session]
        return choice[-1 - number % len(choice)]

    def refresh_of(self, session: int, back: int) -> Refresh:
        """With the token so many generations back, or the next older one that clients know."""
        known = self.texts.known(session)
        wanted = self.world.sessions[session].generation - back
        return Refresh(session, max((each for each in known if each <= wanted), default=known[0]))

    def act_of(self, kind: Kind, session: int, other: int) -> Act:
        user = self.world.sessions[session].user
        match kind:
            case "refresh" | "retry" | "reuse":
                return self.refresh_of(session, _BACK[kind])
            case "login":
                return Login(user, self.world.users[user].password)
            case "logout":
                return Logout(session)
            case "logout all":
                return LogoutAll(session)
            case "end another" | "end itself":
                return EndListed(session, session if kind == "end itself" else other)
            case "ban":
                return Ban(user)
            case "unban":
                return Unban(user)
            case "change":
                return Change(session, self.world.users[user].password, self.new_password())
            case "reset":
                return Reset(user, self.new_link(user), self.new_password())


def _text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
