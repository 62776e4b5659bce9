"""``python -m workers``: a ledger worker."""

from __future__ import annotations

import sys

import uvloop

from workers import logs, settings
from workers.app import App


async def _main(given: settings.Settings) -> int:
    return await App(given).run()


def main() -> int:
    """Reads the settings, runs, answers the exit status."""
    try:
        given = settings.load()
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(given.mana_process_name)
    return uvloop.run(_main(given))


if __name__ == "__main__":
    sys.exit(main())
