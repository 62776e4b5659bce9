"""How each of the workers' processes begins: settings, logs, event loop."""

from __future__ import annotations

import sys
from collections.abc import Callable

import uvloop

from workers import logs, settings
from workers.process import Process
from workers.settings import Settings


def start(make: Callable[[Settings], Process]) -> int:
    """Reads the settings, makes the process and runs it; answers its exit status (2 for wrong settings)."""
    try:
        given = settings.load()
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(given.mana_process_name)
    return uvloop.run(_run(make, given))


async def _run(make: Callable[[Settings], Process], given: Settings) -> int:
    return await make(given).run()
