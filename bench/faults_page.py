"""docs/operations/faults.md, made from the kept runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from bench.fault_goals import goals
from bench.fault_results import Kept, cells, cells_not_run, headings
from bench.results import Goal

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
  sending, or with a gap. *events missing*, *out of order*: at the subscriber, or in the log.
- *recovered in*: from the end of the fault, or the kill, until every partition answers a new command: the median, and
  the longest; in brackets the time that the plan allows for the longest. All processes share a machine of two cores.
- The verdict is *clean* where all ten equations hold (tests/faults/oracle/equations), each recovery came in time, and
  what the scenario demands besides was so; *not played* where the machine lacked what it takes, *not run* where no run
  is kept: such lines say nothing.

"""


def render(rows: Iterable[Kept], scenarios: Collection[str]) -> str:
    """The whole page; ``scenarios``: the ids of all that there are."""
    runs = {row.played.id: row for row in rows}
    ids = sorted({*runs, *scenarios})
    lines = [_line(headings()), _line("---" for _ in headings())]
    lines += [_line(cells(runs[id_].played) if id_ in runs else cells_not_run(id_)) for id_ in ids]
    parts = [
        _BEFORE + "\n".join(lines),
        *_commits(runs),
        "## Medians",
        "Over all kept runs, from the kill, or from when the server is up, until every partition answers.",
        "\n".join(
            [_line(["", "seconds", "asked for", ""]), _line(["---"] * 4), *map(_asked_for, goals(runs.values()))]
        ),
        "## What they were",
        "\n".join(map(_described, runs.values())),
    ]
    return "\n\n".join(parts) + "\n"


def write(rows: Iterable[Kept], scenarios: Collection[str]) -> Path:
    """Writes the page; answers where."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(rows, scenarios), encoding="utf-8")
    return PAGE


def _commits(runs: dict[str, Kept]) -> list[str]:
    """A warning where the runs are not of one state of the code."""
    by_commit: dict[str, list[str]] = {}
    for id_, row in runs.items():
        by_commit.setdefault(row.commit, []).append(id_)
    if len(by_commit) < 2:
        return []
    told = "; ".join(f"{commit}: {', '.join(sorted(ids))}" for commit, ids in by_commit.items())
    return [f"**These runs are of {len(by_commit)} different commits**: {told}."]


def _asked_for(goal: Goal) -> str:
    if goal.figure is None:
        return _line([goal.name, "", goal.rule, "not measured"])
    return _line([goal.name, f"{goal.figure:.1f}", goal.rule, "reached" if goal.reached else "MISSED"])


def _described(row: Kept) -> str:
    played = row.played
    size = f"{played.scale.capitalize()} size, {played.seconds:.0f} s, seed {played.seed}, {row.at[:10]}, {row.commit}"
    figures = "".join(f"; {name}: {value}" for name, value in played.figures.items())
    broken = "".join(f"\n  - {violation}" for violation in played.violations)
    return f"- **{played.id}** {played.title}. {size}{figures}.{broken}"


def _line(values: Iterable[str]) -> str:
    return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"
