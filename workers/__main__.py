"""``python -m workers``: a ledger worker."""

from __future__ import annotations

import sys

from workers.health import routes
from workers.meters import Meters
from workers.process import Process
from workers.readiness import problems
from workers.settings import Settings
from workers.start import start
from workers.worker import Worker


def _ledger_worker(settings: Settings) -> Process:
    worker = Worker(settings, Meters())
    return Process(worker, worker.late, routes(lambda: problems(worker)), settings)


if __name__ == "__main__":
    sys.exit(start(Settings, _ledger_worker))
