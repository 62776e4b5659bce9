"""`python -m bench faults`: scenarios of faults on private servers, each judged by the oracle of `tests/faults/oracle`.

Not a measurement of speed: a table of what was injected, and what became of every command meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom

from rich.console import Console

from bench import faults_page
from bench.fault_results import Kept, keep, kept, table
from bench.machine import commit
from bench.results import wide_console
from tests.faults.running import Played, play
from tests.faults.scenario import REGISTRY, Scale, Scenario
from tests.faults.scenarios import load_all
from tests.faults.servers import private_servers
from tests.faults.tools.errors import NotPermittedError


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    only: tuple[str, ...]
    seed: int
    scale: Scale
    page: bool


def main(arguments: list[str]) -> int:
    """Plays, prints, keeps; 0 where every scenario was run, and clean."""
    load_all()
    options, console = _read(arguments), wide_console()
    if options.page:
        console.print(f"written: {faults_page.write(kept(), REGISTRY)}")
        return 0
    console.print(f"seed {options.seed}")
    names = options.only or sorted(REGISTRY)
    code = commit()  # each row that is kept changes a file of the checkout
    rows = [row for name in names if (row := _play(REGISTRY[name], options, code, console)) is not None]
    console.print(table(rows))
    for row in rows:
        for violation in row.played.violations:
            console.print(f"{row.played.id}: {violation}", markup=False)
    return 0 if len(rows) == len(names) and all(row.played.clean for row in rows) else 1


def _play(scenario: Scenario, options: Options, code: str, console: Console) -> Kept | None:
    """``code``: its commit. ``None``: it was not run, since this machine does not allow what it needs."""
    console.print(f"{scenario.id}: {scenario.title}", markup=False)
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    folder = Path(tempfile.mkdtemp(prefix="mana-faults-"))
    try:
        played = _played(scenario, options, folder)
    except NotPermittedError as reason:
        shutil.rmtree(folder)
        console.print(f"{scenario.id}: NOT RUN, {reason}", markup=False)
        return None
    row = Kept(at, code, played)
    keep(row)
    console.print(table([row]))
    for name, figure in played.figures.items():
        console.print(f"{name}: {figure}", markup=False)
    if played.clean:
        shutil.rmtree(folder)
    else:
        console.print(f"the run's files (journal, events, logs): {folder}", markup=False)
    return row


def _played(scenario: Scenario, options: Options, folder: Path) -> Played:
    with private_servers(
        partitions=scenario.partitions, postgres_disk=scenario.postgres_disk, archived=scenario.archived
    ) as instance:
        return asyncio.run(play(instance, scenario, options.scale, options.seed, folder))


def _read(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="mana bench faults", description=__doc__)
    parser.add_argument("--only", default="", help="scenarios, such as S05,S06; all by default")
    parser.add_argument("--seed", type=int, help="of all chances; a new one by default, printed")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--nightly", action="store_true", help="the plan's full sizes: hours")
    sizes.add_argument("--fast", action="store_true", help="some seconds each, as in ./mana test")
    parser.add_argument("--page", action="store_true", help="write docs/operations/faults.md from what is kept")
    read = parser.parse_args(arguments)
    only = tuple(name.strip().upper() for name in read.only.split(",") if name.strip())
    if unknown := [name for name in only if name not in REGISTRY]:
        parser.error(f"there is no scenario {', '.join(unknown)}; there are {', '.join(sorted(REGISTRY))}")
    seed = read.seed if read.seed is not None else SystemRandom().randrange(2**32)
    scale: Scale = "nightly" if read.nightly else "fast" if read.fast else "usual"
    return Options(only, seed, scale, read.page)
