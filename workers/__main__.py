"""``python -m workers``: a ledger worker."""

from __future__ import annotations

import sys

from contracts import tracing
from workers.health import routes
from workers.intake.watching import Watching
from workers.meters import Meters
from workers.process import Process
from workers.process_settings import SettingsError
from workers.readiness import problems
from workers.settings import Settings
from workers.start import start
from workers.worker import Worker


def _ledger_worker(settings: Settings) -> Process:
    worker = Worker(settings, Meters(), _watching(settings))
    return Process(worker, worker.late, routes(lambda: problems(worker)), settings)


def _watching(settings: Settings) -> Watching:
    try:
        spans = tracing.spans("mana-worker", settings.mana_process_name)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    if spans is None:
        return Watching()
    from workers.tracing.watching import traced  # noqa: PLC0415  its memory and its start are for who wants traces

    return traced(spans)


if __name__ == "__main__":
    sys.exit(start(Settings, _ledger_worker))
