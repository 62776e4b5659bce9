"""docs/operations/faults.md, made from the kept runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bench.fault_results import Kept, cells, headings

PAGE: Final = Path(__file__).parent.parent / "docs" / "operations" / "faults.md"

_BEFORE: Final = """\
# Faults, and what became of every command

Made by `./mana bench faults --page` from the kept runs (`bench/results/faults.json`); `./mana bench faults` makes them
again, on private servers. A client notes each attempt on disk before it is sent, and each answer; a judge that shares
no code with the ledger then compares these notes with the ledger's rows, the events at an independent subscriber and in
the log, and `credits.dead`.

- *attempts*: commands sent. Each was *acknowledged*, *refused*, *not accepted* (the broker said so), or stayed
  *unknown* until it was sent again at the end.
- *lost*: acknowledged without a row in the ledger, or accepted by the broker and nowhere to be found. *doubled*: more
  than one row for a key, or balances that do not add up. *order broken*: a user's sequence numbers not in the order of
  sending, or with a gap.
- *recovered in*: from the end of the fault, or the kill, until every partition answers a new command; in brackets the
  time that the plan allows. All processes share a machine of two cores.
- The verdict is *clean* where all ten equations hold (tests/faults/oracle/equations.py) and what the scenario demands
  besides; *not played* where the machine lacked what it takes: such a line says nothing.

"""


def render(rows: Iterable[Kept]) -> str:
    """The whole page."""
    rows = list(rows)
    lines = [_line(headings()), _line("---" for _ in headings())]
    lines += [_line(cells(row.played)) for row in rows]
    return _BEFORE + "\n".join(lines) + "\n\n## What they were\n\n" + "\n".join(map(_described, rows)) + "\n"


def write(rows: Iterable[Kept]) -> Path:
    """Writes the page; answers where."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(rows), encoding="utf-8")
    return PAGE


def _described(row: Kept) -> str:
    played = row.played
    size = f"{played.scale.capitalize()} size, {played.seconds:.0f} s, seed {played.seed}, {row.at[:10]}, {row.commit}"
    figures = "".join(f"; {name}: {value}" for name, value in played.figures.items())
    broken = "".join(f"\n  - {violation}" for violation in played.violations)
    return f"- **{played.id}** {played.title}. {size}{figures}.{broken}"


def _line(values: Iterable[str]) -> str:
    return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"
