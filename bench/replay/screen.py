"""What the person at the terminal sees: progress on standard error, the accounting on standard output."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.replay.run import Outcome


class Watched:
    """A progress bar for each step, shown where standard error is a terminal."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task: TaskID | None = None

    def begin(self, step: str, total: int) -> None:
        """A new step of so many commands."""
        self._task = self.progress.add_task(step, total=total)

    def advance(self) -> None:
        """One more is answered."""
        if self._task is not None:
            self.progress.advance(self._task)


def summary(outcome: Outcome) -> Iterator[str]:
    """The figures, a line each."""
    books, tally, sendings = outcome.accounting, outcome.accounting.tally, outcome.sendings
    rate = books.requests / outcome.seconds if outcome.seconds else 0.0
    yield _line("requests sent", books.requests, f"in {outcome.seconds:.1f} s, {rate:,.0f} per second")
    yield _line("charged", tally.charged)
    for code, count in sorted(tally.refused.items()):
        yield _line("refused", count, code)
    yield _line("replayed", tally.replayed, "answered as at their first try")
    yield _line("sent again", sendings.overloaded, "the queue was full")
    yield _line("sent again", sendings.unanswered, "no answer in time, or the connection was lost")
    yield _line("credits asked for", books.credits_asked)
    yield _line("credits charged", tally.credits_charged)
    yield _line("credits before", books.before.held)
    if books.granted:
        yield _line("credits granted", books.granted, "daily ones that fell due meanwhile")
    yield _line("credits after", books.after.held)
    if books.books is not None:
        yield _line("after, by database", books.books.held, f"{books.books.usages:,} usages")


def _line(name: str, figure: int, remark: str = "") -> str:
    return f"{name:<20}{figure:>12,}  {remark}".rstrip()
