"""Keys come and go by a schedule that no request fails by: examples, and fronts that look whenever they like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.auth.key_schedule import (
    LEAD_SECONDS,
    PUBLISHED_SECONDS,
    SETTLED_SECONDS,
    KeyRules,
    KeyTimes,
    is_pending,
    signer,
    verifies,
    work,
)
from api.auth.keyring import REFRESH_SECONDS
from api.auth.keys import Algorithm

NOW = 1_000_000.0
DAY = 86_400.0
RULES = KeyRules()
HOURLY = KeyRules(rotation=timedelta(hours=1))


def _key(kid: str, active_from: float, algorithm: Algorithm = "EdDSA") -> KeyTimes:
    return KeyTimes(kid, algorithm, active_from)


def test_the_first_key_signs_at_once() -> None:
    assert work([], NOW, RULES, None) == work([], NOW, RULES, "imported")
    due = work([], NOW, RULES, None)
    assert (due.add, due.lead) == (True, timedelta())


def test_a_withdrawn_key_is_replaced_at_once() -> None:
    withdrawn = replace(_key("a", NOW - 5), retired=True, verify_until=NOW)
    assert work([withdrawn], NOW, RULES, "a").lead == timedelta()
    assert not verifies(withdrawn, NOW)


@pytest.mark.parametrize(
    ("keys", "imported", "adds"),
    [
        ([_key("a", NOW - DAY)], None, False),
        ([_key("a", NOW - 30 * DAY + LEAD_SECONDS + 1)], None, False),
        ([_key("a", NOW - 30 * DAY + LEAD_SECONDS)], None, True),
        ([_key("a", NOW - 31 * DAY), _key("b", NOW + 1)], None, False),
        ([_key("a", NOW - DAY, "RS256")], None, True),
        ([_key("a", NOW - DAY)], "b", True),
        ([_key("a", NOW - DAY)], "a", False),
        ([_key("a", NOW - DAY), replace(_key("b", NOW - DAY), retired=True)], "b", False),
    ],
)
def test_when_a_key_is_due(keys: list[KeyTimes], imported: str | None, adds: bool) -> None:
    due = work(keys, NOW, RULES, imported)
    assert (due.add, due.lead) == (adds, timedelta(seconds=600))
    assert due.retire == ()


def test_the_wanted_algorithm_signs_where_there_is_one() -> None:
    old, new = _key("old", NOW - DAY), _key("new", NOW - 1, "RS256")
    assert signer([old, new], NOW, KeyRules("EdDSA")) == old
    assert signer([old, new], NOW, KeyRules("RS256")) == new
    assert signer([old], NOW, KeyRules("RS256")) == old


def test_older_keys_are_retired_once_every_front_signs_with_the_newer() -> None:
    old, pending = _key("old", NOW - DAY), _key("pending", NOW + 1)
    for age, retired in ((SETTLED_SECONDS - 1, ()), (SETTLED_SECONDS, ("old",))):
        assert work([old, _key("new", NOW - age), pending], NOW, RULES, None).retire == retired


@dataclass
class Front:
    """What one front knows since its last look."""

    rules: KeyRules
    keys: list[KeyTimes]
    looks_at: float


@dataclass
class World:
    """A table of keys, fronts that look at it, and the tokens that still live: who signed and until when."""

    random: Random
    fronts: list[Front]
    keys: list[KeyTimes] = field(default_factory=list[KeyTimes])
    published: dict[str, float] = field(default_factory=dict[str, float])
    tokens: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    numbers: count[int] = field(default_factory=count)

    def look(self, front: Front, now: float) -> None:
        """One front looks, and does what is due in the turn that it gets."""
        due = work(self.keys, now, front.rules, None)
        linger = front.rules.linger.total_seconds()
        self.keys = [
            replace(key, retired=True, verify_until=now + linger) if key.kid in due.retire else key for key in self.keys
        ]
        if due.add:
            self.add(now, front.rules.algorithm, now + due.lead.total_seconds())
        front.keys = list(self.keys)
        front.looks_at = now + self.random.uniform(1, REFRESH_SECONDS)

    def add(self, now: float, algorithm: Algorithm, active_from: float) -> None:
        """A new key."""
        key = _key(f"k{next(self.numbers)}", active_from, algorithm)
        self.keys.append(key)
        self.published[key.kid] = now

    def sign_everywhere(self, now: float) -> None:
        """Each front signs, and must do so with what all others and whoever reads the published keys know."""
        for front in self.fronts:
            key = signer(front.keys, now, front.rules)
            assert key is not None, "nobody can sign in"
            known_for = now - self.published[key.kid]
            assert key.kid == "k0" or known_for >= PUBLISHED_SECONDS, "signs before verifiers know it"
            self.tokens.append((key.kid, now + front.rules.token_life.total_seconds()))

    def verify_everywhere(self, now: float) -> None:
        """Each front takes each token that has not expired; one that looks anew does so too."""
        self.tokens = [(kid, until) for kid, until in self.tokens if until > now]
        for keys in [self.keys, *(front.keys for front in self.fronts)]:
            good = {key.kid for key in keys if verifies(key, now)}
            assert {kid for kid, _ in self.tokens} <= good, "a good token is refused"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.booleans())
def test_no_front_refuses_what_another_signed(seed: int, number: int, switches: bool) -> None:
    """[18]: for hours, with a key each hour, rotations by hand between, and a change of the algorithm."""
    random = Random(seed)
    world = World(random, [Front(HOURLY, [], NOW + index) for index in range(number)])
    now = NOW
    while now < NOW + 4 * 3_600:
        front = min(world.fronts, key=lambda front: front.looks_at)
        now = max(now, front.looks_at)
        if switches and now > NOW + 3_600:
            for each in world.fronts:
                each.rules = replace(HOURLY, algorithm="RS256")
        if random.random() < 0.002 and world.keys and not any(is_pending(key, now) for key in world.keys):
            world.add(now, front.rules.algorithm, now + LEAD_SECONDS)
        world.look(front, now)
        if all(each.keys for each in world.fronts):
            world.sign_everywhere(now)
        world.verify_everywhere(now)
    assert len(world.keys) >= 4
    assert sum(not key.retired for key in world.keys) <= 3, "private halves stay"
