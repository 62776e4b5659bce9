"""The newest run of each scenario, kept in one file, and shown as a table."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct
from rich.table import Table

from bench.results import FOLDER
from tests.faults.running import Played

FILE: Final = FOLDER / "faults.json"

_COUNTS: Final = (
    "attempts",
    "acknowledged",
    "refused",
    "not_accepted",
    "unknown",
    "lost",
    "doubled",
    "order_broken",
    "events_missing",
    "events_out_of_order",
)


class Kept(Struct, frozen=True):
    """A run of a scenario: when it began, of which commit."""

    at: str
    commit: str
    played: Played


def kept() -> list[Kept]:
    """The newest run of each scenario, by id."""
    if not FILE.exists():
        return []
    return msgspec.json.decode(FILE.read_bytes(), type=list[Kept])


def keep(row: Kept) -> None:
    """Puts a run in the place of the last one of its scenario. Runs of the fast scale are not kept."""
    if row.played.scale == "fast":
        return
    rows = {each.played.id: each for each in kept()} | {row.played.id: row}
    FOLDER.mkdir(exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode([rows[name] for name in sorted(rows)]), indent=1)
    FILE.write_bytes(text + b"\n")


def headings() -> list[str]:
    """The table's."""
    return ["", "injected", *(name.replace("_", " ") for name in _COUNTS), "recovered in, s (within)", "verdict"]


def cells(played: Played) -> list[str]:
    """A run as a line of the table."""
    injected = ", ".join(f"{times} {what}" for what, times in played.injected.items())
    counts = [f"{getattr(played, name):,}" for name in _COUNTS]
    return [played.id, injected, *counts, recovery(played), _verdict(played)]


def cells_not_run(id_: str) -> list[str]:
    """The line of a scenario of which no run is kept."""
    return [id_, *("" for _ in range(len(headings()) - 2)), "not run"]


def _verdict(played: Played) -> str:
    if played.not_played:
        return "not played"
    return "clean" if played.clean else "BROKEN"


def recovery(played: Played) -> str:
    """Median and longest time of each kind of fault."""
    told = "; ".join(
        f"{what}: {median(times):.1f}, at most {max(times):.1f}{'' if _in_time(played, what) else ' (too late)'}"
        for what, times in played.recoveries.items()
    )
    return f"{told} ({played.recovers:.0f})" if told else ""


def _in_time(played: Played, what: str) -> bool:
    """As the run was judged, or would be: one of the older form was not."""
    return played.in_time.get(what, max(played.recoveries[what]) <= played.recovers)


def table(rows: Iterable[Kept]) -> Table:
    """For the terminal."""
    shown = Table()
    for heading in headings():
        shown.add_column(heading, justify="left" if heading in {"", "injected", "verdict"} else "right")
    for row in rows:
        shown.add_row(*cells(row.played))
    return shown
