"""What the model allows of acts at once, where it can be counted by hand."""

from __future__ import annotations

import pytest

from tests.stateful.model import (
    SESSIONS_MAX,
    Act,
    Answer,
    Ban,
    Change,
    EndListed,
    Login,
    Logout,
    LogoutAll,
    Pair,
    Refresh,
    Reset,
    Session,
    Unban,
    User,
    World,
    act_on,
    outcomes,
)

NO = "unauthorized"


def _world() -> World:
    """One user with two sessions; the first has been refreshed twice, just now."""
    return World([User(password=1, link=1)], [Session(0, generation=3, graced=True), Session(0)])


@pytest.mark.parametrize(
    ("acts", "answers"),
    [
        ([Refresh(0, 3)] * 3, {(Pair(0, 4),) * 3}),
        ([Refresh(0, 2), Refresh(0, 3)], {(Pair(0, 3), Pair(0, 4)), (NO, Pair(0, 4))}),
        ([Refresh(0, 1), Refresh(0, 3)], {(NO, Pair(0, 4)), (NO, NO)}),
        ([Refresh(0, 3), Logout(0)], {(Pair(0, 4), "done"), (NO, "done")}),
        ([Refresh(0, 3), Change(0, 1, 2)], {(Pair(0, 4), "done")}),
        ([Refresh(1, 1), Change(0, 1, 2)], {(Pair(1, 2), "done"), (NO, "done")}),
        ([Change(0, 1, 2), Change(1, 1, 3)], {("done", NO), (NO, "done")}),
        ([Change(0, 1, 2), Change(0, 1, 3)], {("done", "forbidden"), ("forbidden", "done")}),
        ([Reset(0, 1, 2), Change(0, 1, 3)], {("done", NO), ("invalid_request", "done")}),
        ([Login(0, 1), LogoutAll(1)], {(Pair(2, 1), "done"), (NO, "done")}),
        ([EndListed(0, 1), EndListed(1, 0)], {("done", NO), (NO, "done")}),
    ],
)
def test_some_order_explains_each_answer(acts: list[Act], answers: set[tuple[Answer, ...]]) -> None:
    assert {answer for answer, _ in outcomes(_world(), acts)} == answers


def test_a_ban_ends_whatever_it_meets_and_its_end_revives_nothing() -> None:
    acts: list[Act] = [Refresh(0, 3), Refresh(1, 1), Login(0, 1), Ban(0)]
    for _, world in outcomes(_world(), acts):
        assert act_on(world, Unban(0)) == "done"
        assert world.living(0) == []
        assert world.users[0].link is None


def test_the_oldest_session_makes_room() -> None:
    world = _world()
    for number in range(2, SESSIONS_MAX + 1):
        assert act_on(world, Login(0, 1)) == Pair(number, 1)
    assert world.living(0) == list(range(1, SESSIONS_MAX + 1))
