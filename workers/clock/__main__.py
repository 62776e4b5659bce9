"""``python -m workers.clock``: the clock worker, which verifies the ledger as well."""

from __future__ import annotations

import sys

from workers.broker.sender import CommandSender
from workers.clock.clock import Clock
from workers.health import routes
from workers.ledger.audit.verifying import Verifying, VerifyingMeters
from workers.ledger.store.expired import ExpiredLots
from workers.process import Process, Together
from workers.settings import ClockSettings
from workers.start import start


def _clock(settings: ClockSettings) -> Process:
    lots = ExpiredLots(settings.database_url, application_name=settings.mana_process_name)
    sender = CommandSender(settings.amqp_url)
    clock = Clock(lots.read, sender.send)
    verifying = Verifying(
        settings.database_url,
        settings.ledger_verify_every,
        VerifyingMeters(),
        application_name=settings.mana_process_name,
    )
    return Process(Together(clock, verifying), sender, routes(clock.problems), settings)


if __name__ == "__main__":
    sys.exit(start(ClockSettings, _clock))
