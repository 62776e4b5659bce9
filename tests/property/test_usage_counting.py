"""However the events of a history are cut into batches, repeated and mixed, the statistics are those of the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from workers.usage.counting import count
from workers.usage.model import Entry, Kind, Known

_BEGAN = datetime(2026, 3, 28, 22, 30, tzinfo=UTC)
_KINDS: st.SearchStrategy[Kind | None] = st.sampled_from(["usage", "refund", None])
Table = Counter[tuple[Any, ...]]


def _uuid(*parts: int) -> UUID:
    return UUID(int=sum(part << 32 * place for place, part in enumerate(parts, 1)))


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """The transactions of some accounts, each account's in order."""
    entries: list[Entry] = []
    for account in range(draw(st.integers(1, 4))):
        usages: list[UUID] = []
        kinds = draw(st.lists(_KINDS, max_size=12))
        for sequence, kind in enumerate(kinds, 1):
            own = _uuid(account + 1, sequence)
            if kind == "usage":
                usages.append(own)
            elif kind == "refund" and not usages:
                kind = None  # noqa: PLW2901 - nothing to give back yet
            entries.append(
                Entry(
                    account_id=_uuid(account + 1),
                    sequence=sequence,
                    kind=kind,
                    at=_BEGAN + timedelta(minutes=40) * draw(st.integers(0, 4)),
                    app_id=draw(st.sampled_from(["chat", "notes"])),
                    model=draw(st.sampled_from(["", "small"])) if kind == "usage" else "",
                    usage_id=draw(st.sampled_from(usages)) if kind == "refund" else own,
                    amount=draw(st.integers(1, 9)),
                )
            )
    return entries


def _truth(entries: Iterable[Entry], *, forgotten: bool) -> Table:
    """Rows as (account, day, hour, app, model, what) with their sums, counted in another way than the product's."""
    entries = list(entries)
    models = {entry.usage_id: entry.model for entry in entries if entry.kind == "usage"}
    table: Table = Counter()
    for entry in entries:
        if entry.kind is not None:
            model = "" if forgotten else models[entry.usage_id]
            row = (entry.account_id, entry.at.date(), entry.at.hour, entry.app_id, model)
            table[*row, entry.kind, "number"] += 1
            table[*row, entry.kind, "credits"] += entry.amount
    return table


class _Rows:
    """Statistics in memory, which fill gaps from the history as the store does from the ledger."""

    def __init__(self, history: Sequence[Entry], *, forgotten: bool) -> None:
        self._history = history
        self._forgotten = forgotten
        self._models = {entry.usage_id: entry.model for entry in history if entry.kind == "usage"}
        self.table: Table = Counter()
        self.progress: dict[UUID, int] = {}

    def take(self, batch: Iterable[Entry]) -> None:
        known = {one: Known(at, models_forgotten=self._forgotten) for one, at in self.progress.items()}
        known |= {
            entry.account_id: Known(0, models_forgotten=self._forgotten)
            for entry in self._history
            if entry.account_id not in known
        }
        counted = count(batch, known, self._models)
        for cell, sums in counted.cells.items():
            for kind, number, amount in (("usage", sums.uses, sums.credits), ("refund", sums.refunds, sums.refunded)):
                self.table[*cell, kind, "number"] += number
                self.table[*cell, kind, "credits"] += amount
        self.progress |= counted.progress
        missing = [
            entry
            for entry in self._history
            if entry.account_id in counted.behind and entry.sequence > self.progress.get(entry.account_id, 0)
        ]
        if missing:
            self.take(missing)


@given(histories(), st.booleans(), st.data())
def test_any_way_of_coming_makes_the_same_table(history: list[Entry], forgotten: bool, data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=10)) if history else []
    lost = data.draw(st.sets(st.sampled_from(history), max_size=3)) if history else set[Entry]()
    coming = data.draw(st.permutations([*(entry for entry in history if entry not in lost), *repeats]))
    rows = _Rows(history, forgotten=forgotten)
    left = list(coming)
    while left:
        size = data.draw(st.integers(1, len(left)))
        rows.take(left[:size])
        left = left[size:]
    reached = [entry for entry in history if entry.sequence <= rows.progress.get(entry.account_id, 0)]
    assert +rows.table == _truth(reached, forgotten=forgotten)
    # Only what was lost behind all that came is not known.
    for entry in history:
        if entry not in lost:
            assert entry.sequence <= rows.progress[entry.account_id]


@given(histories(), st.data())
def test_in_order_nothing_is_behind(history: list[Entry], data: st.DataObject) -> None:
    """As the stream brings it, but for the order within a batch: no gap is seen where there is none, and each repeat is
    known as one."""
    progress: dict[UUID, int] = {}
    left = history
    while left:
        size = data.draw(st.integers(1, len(left)))
        batch, left = left[:size], left[size:]
        again = data.draw(st.lists(st.sampled_from(batch), max_size=3))
        known = {account: Known(at) for account, at in progress.items()}
        counted = count(data.draw(st.permutations([*batch, *again])), known, {})
        assert (counted.behind, counted.repeats) == (frozenset(), len(again))
        progress |= counted.progress
    assert progress == {entry.account_id: entry.sequence for entry in history}
