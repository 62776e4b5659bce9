"""What the person at the terminal sees: steps while something lasts, tables, addresses."""

import contextlib
from collections.abc import Callable, Generator

from rich.console import Console
from rich.table import Table

from ops.status import ProcessStatus

# Results go to standard output, what only accompanies the work to standard error.
results = Console(highlight=False, soft_wrap=True)
progress = Console(stderr=True, highlight=False)

_COLOURS = {"ready": "green", "unready": "red", "waiting": "red"}


@contextlib.contextmanager
def steps(opening: str) -> Generator[Callable[[str], None]]:
    """Show what is being done: a line that changes on a terminal, one line for each step elsewhere."""
    if progress.is_terminal:
        with progress.status(opening) as spinner:
            yield spinner.update
        return
    shown = [opening]
    progress.print(opening, markup=False, soft_wrap=True)

    def show(text: str) -> None:
        if text != shown[-1]:
            shown.append(text)
            progress.print(text, markup=False, soft_wrap=True)

    yield show


def processes(entries: list[ProcessStatus]) -> Table:
    """The table of `./mana status`."""
    table = Table("name", "pid", "state", "restarts", "url", box=None)
    for entry in entries:
        colour = _COLOURS.get(entry.state, "yellow")
        pid = str(entry.pid or "-")
        table.add_row(entry.name, pid, f"[{colour}]{entry.state}[/]", str(entry.restarts), entry.url or "-")
    return table
