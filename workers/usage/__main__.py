"""``python -m workers.usage``: counts uses by the events."""

from __future__ import annotations

import sys

from workers.broker.lazy import LazyBroker
from workers.health import routes
from workers.process import Process
from workers.start import start
from workers.usage.meters import UsageMeters
from workers.usage.settings import UsageSettings
from workers.usage.worker import UsageWorker


def _usage(settings: UsageSettings) -> Process:
    worker = UsageWorker(settings, UsageMeters())
    # The stream is read by frames of our own: the library's broker is there for the application alone, and idle.
    return Process(worker, LazyBroker(settings.amqp_url), routes(worker.problems), settings)


if __name__ == "__main__":
    sys.exit(start(UsageSettings, _usage))
