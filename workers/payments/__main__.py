"""``python -m workers.payments``: the worker that Stripe tells."""

from __future__ import annotations

import sys

from workers.health import routes
from workers.payments.meters import PaymentsMeters
from workers.payments.settings import PaymentsSettings
from workers.payments.worker import PaymentsWorker
from workers.process import Process
from workers.start import start


def _payments(settings: PaymentsSettings) -> Process:
    worker = PaymentsWorker(settings, PaymentsMeters())
    return Process(worker, worker.inflow, routes(worker.problems), settings)


if __name__ == "__main__":
    sys.exit(start(PaymentsSettings, _payments))
