"""A run's report as an operator reads it."""

from __future__ import annotations

from collections import Counter
from typing import Final

from rich.console import Console
from rich.table import Table

from workers.payments.reconciling.report import Report

_NAMED_MAX: Final = 50
_HELD: Final = (
    "Automatic top-ups are held since this place was restored: a run that looks back to before the restored moment"
    " (--since), feeds all and leaves no difference lets them go on; or --release-topups does, once you have looked."
)


def show(report: Report, console: Console, *, held: bool) -> None:
    """Prints what was looked at, what differed, and what was done about it; ``held``: whether top-ups are."""
    title = f"Stripe since {report.since:%Y-%m-%d %H:%M} UTC{', a dry run' if report.dry_run else ''}"
    table = Table("", title=title, title_justify="left")
    for column in ("looked at", "differ", "just now"):
        table.add_column(column, justify="right")
    counts, young = report.counts, sum(one.young for one in report.differences)
    table.add_row("events", f"{counts.events:,}", f"{counts.missing:,}", f"{report.on_their_way.total():,}")
    table.add_row("payments", f"{counts.payments:,}", f"{counts.differences:,}", f"{young:,}")
    console.print(table)
    _by_type("never arrived", report.missing, console)
    _by_type("happened just now", report.on_their_way, console)
    for one in report.differences[:_NAMED_MAX]:
        line = f"{one.purchase or 'no purchase'}: {one.payment}: {one.what}"
        console.print(line, style="bold red" if one.mend is None else None, markup=False, soft_wrap=True)
    if len(report.differences) > _NAMED_MAX:
        console.print(f"{len(report.differences) - _NAMED_MAX:,} more differ.")
    for event, why in list(report.alarmed.items())[:_NAMED_MAX]:
        console.print(f"{event}: fed, and nothing came of it: {why}", style="bold red", markup=False, soft_wrap=True)
    console.print(_end(report), markup=False, soft_wrap=True)
    if held:
        console.print(_HELD, style="bold", markup=False, soft_wrap=True)


def _by_type(what: str, events: Counter[str], console: Console) -> None:
    for kind, number in sorted(events.items()):
        console.print(f"{what}: {number:,} {kind}", markup=False, soft_wrap=True)


def _end(report: Report) -> str:
    if report.dry_run:
        return "Nothing was fed."
    said = [f"{report.fed:,} events were fed" if report.fed else "Nothing was to be fed"]
    if report.unfinished:
        said.append(f"{report.unfinished:,} of them are not done yet")
    elif report.fed:
        said.append("all are done" if not report.alarmed else "the others are done")
    if unmended := report.counts.unmended:
        said.append(f"{unmended:,} differences are left that no event mends: see docs/operations/payments.md")
    return ", ".join(said) + "."
