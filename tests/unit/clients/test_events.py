"""What a subscriber remembers: which events are repeats, what is missing, how far it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mana_client import Event, FileStore, Gap, ManaError, Position
from mana_client.events import sequences
from mana_client.events.sequences import Sequences

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(sequence: int | None, user: str = "ada", id_: str | None = None) -> Event:
    """An event of a user; its id tells it from others."""
    return Event(id_ or f"{user}-{sequence}", "credits.used", user, NOW, sequence, {}, None)


def verdicts(*seen: int) -> list[object]:
    """What becomes of one user's sequences."""
    memory = Sequences()
    return [memory.see(event(sequence)) for sequence in seen]


def test_what_was_seen_is_a_repeat() -> None:
    assert verdicts(3, 4, 5, 4, 5, 6) == ["new", "new", "new", "repeat", "repeat", "new"]


def test_what_is_missing_is_told_once_and_welcome_later() -> None:
    gap = Gap("ada", 2, 5)
    assert verdicts(1, 5, 6, 3, 3, 2, 4, 4) == ["new", gap, "new", "new", "repeat", "new", "new", "repeat"]


def test_before_the_first_one_nothing_is_known_to_have_been_seen() -> None:
    """A reader that begins in the middle: what comes from before is new, once, and nothing is missing."""
    assert verdicts(10, 5, 5, 10, 9, 6, 11) == ["new", "new", "repeat", "repeat", "new", "new", "new"]


def test_what_is_forgotten_of_a_user_counts_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never as seen; and what was seen last is kept, whatever comes late."""
    monkeypatch.setattr(sequences, "RANGES_MAX", 2)
    memory = Sequences()
    for sequence in (2, 4, 6):
        memory.see(event(sequence))
    assert [memory.see(event(sequence)) for sequence in (6, 4, 3, 2, 1)] == ["repeat", "repeat", "new", "new", "new"]
    assert [memory.see(event(sequence)) for sequence in (6, 7, 9)] == ["repeat", "new", Gap("ada", 8, 9)]


def test_users_do_not_meet() -> None:
    memory = Sequences()
    assert [memory.see(event(1, user)) for user in ("ada", "bob", "ada", "bob")] == ["new", "new", "repeat", "repeat"]


def test_events_without_a_sequence_are_known_by_their_ids() -> None:
    memory = Sequences()
    assert [memory.see(event(None, id_=id_)) for id_ in ("a", "b", "a")] == ["new", "new", "repeat"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "USERS_MAX", 2)
    monkeypatch.setattr(sequences, "IDS_MAX", 2)
    memory = Sequences()
    assert [memory.see(event(1, user)) for user in ("ada", "bob", "ada", "cy", "ada")] == [
        "new", "new", "repeat", "new", "repeat",
    ]  # fmt: skip
    assert memory.see(event(1, "bob")) == "new", "seen longest ago"
    assert [memory.see(event(None, id_=id_)) for id_ in "abca"] == ["new"] * 4


@given(st.lists(st.integers(1, 12), max_size=40), st.integers(1, 8))
def test_none_is_lost_and_what_is_remembered_is_no_news(order: list[int], most: int) -> None:
    """Whatever the order and however little is remembered: only what was seen is a repeat, and with room for all each
    is new once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "RANGES_MAX", most)
        memory, seen = Sequences(), set[int]()
        for sequence in order:
            is_repeat = memory.see(event(sequence)) == "repeat"
            assert sequence in seen or not is_repeat
            assert is_repeat or sequence not in seen or (most < 6 and sequence != max(seen))
            seen.add(sequence)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=40))
def test_gaps_are_of_what_is_behind_the_last_one(order: list[int]) -> None:
    memory, last = Sequences(), 0
    for sequence in order:
        verdict = memory.see(event(sequence))
        is_gap = last > 0 and sequence > last + 1
        assert verdict == Gap("ada", last + 1, sequence) if is_gap else not isinstance(verdict, Gap)
        last = max(last, sequence)


async def test_a_file_keeps_the_last_position(tmp_path: Path) -> None:
    path = tmp_path / "position"
    assert await FileStore(path).load() is None
    for number in (1, 2):
        await FileStore(path).save(Position(number, f"id-{number}"))
    assert await FileStore(path).load() == Position(2, "id-2")
    assert [entry.name for entry in tmp_path.iterdir()] == ["position"]


async def test_a_write_that_fails_leaves_the_old_position(tmp_path: Path) -> None:
    path = tmp_path / "position"
    store = FileStore(path)
    await store.save(Position(1, "id-1"))
    (tmp_path / "position.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        await store.save(Position(2, "id-2"))
    assert await store.load() == Position(1, "id-1")


async def test_every_third_position(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "position", every=3)
    for number in range(1, 6):
        await store.save(Position(number, "id"))
    assert await store.load() == Position(3, "id")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"offset": "x", "eventId": "y"}', "\0"])
async def test_something_else_in_the_file(tmp_path: Path, content: str) -> None:
    """It is told, and not taken for a subscriber that begins."""
    path = tmp_path / "position"
    path.write_text(content)
    with pytest.raises(ManaError, match="holds no position"):
        await FileStore(path).load()
