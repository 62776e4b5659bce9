"""How each of the workers' processes begins: settings, logs, event loop."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Final

import uvloop

from contracts import logs
from workers.process import Process
from workers.process_settings import Kind, SettingsError, read

_COLLECT_AFTER: Final = 50_000
"""New containers between two looks for garbage cycles: some batches' worth. Commands make none, and Python's own 700
made the collector take a twelfth of the worker's time."""


def start(kind: type[Kind], make: Callable[[Kind], Process]) -> int:
    """Reads settings of that kind, makes the process and runs it; answers its exit status (2 for wrong settings).

    ``make`` may raise ``SettingsError`` as well: of settings that do not fit each other.
    """
    try:
        given = read(kind)
        logs.configure(given.mana_process_name, given.log_level, given.log_format)
        return uvloop.run(_run(make, given))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


async def _run(make: Callable[[Kind], Process], given: Kind) -> int:
    process = make(given)
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    return await process.run()
