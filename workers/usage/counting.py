"""The decision: what a batch of events adds to the statistics. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from uuid import UUID

from workers.usage.model import Cell, Counted, Entry, Known, Sums


def count(entries: Iterable[Entry], known: Mapping[UUID, Known], models: Mapping[UUID, str]) -> Counted:
    """Counts each transaction once, whatever was repeated, and in whatever order an account's events came.

    ``models`` are those of usages that are given back; one that is not there has none. Behind a gap nothing of an
    account is counted.
    """
    cells: dict[Cell, Sums] = defaultdict(Sums)
    progress: dict[UUID, int] = {}
    behind: set[UUID] = set()
    repeats = 0
    for account_id, own in _by_account(entries).items():
        before = known.get(account_id, Known())
        at = before.sequence
        for entry in sorted(own, key=_sequence):
            if entry.sequence <= at:
                repeats += 1
            elif entry.sequence > at + 1:
                behind.add(account_id)
                break
            else:
                at += 1
                _add(cells, entry, models, forgotten=before.models_forgotten)
        if at > before.sequence:
            progress[account_id] = at
    return Counted(dict(cells), progress, frozenset(behind), repeats)


def _by_account(entries: Iterable[Entry]) -> dict[UUID, list[Entry]]:
    found: dict[UUID, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.account_id].append(entry)
    return found


def _sequence(entry: Entry) -> int:
    return entry.sequence


def _add(cells: dict[Cell, Sums], entry: Entry, models: Mapping[UUID, str], *, forgotten: bool) -> None:
    if entry.kind is None:
        return
    model = entry.model if entry.kind == "usage" else models.get(entry.usage_id, "")
    sums = cells[Cell(entry.account_id, entry.at.date(), entry.at.hour, entry.app_id, "" if forgotten else model)]
    if entry.kind == "usage":
        sums.uses += 1
        sums.credits += entry.amount
    else:
        sums.refunds += 1
        sums.refunded += entry.amount
