"""``python -m workers.clock``: the clock worker."""

from __future__ import annotations

import sys

from workers.broker.sender import CommandSender
from workers.clock.clock import Clock
from workers.health import routes
from workers.ledger.store.expired import ExpiredLots
from workers.process import Process
from workers.settings import Settings
from workers.start import start


def _clock(settings: Settings) -> Process:
    lots = ExpiredLots(settings.database_url, application_name=settings.mana_process_name)
    sender = CommandSender(settings.amqp_url)
    clock = Clock(lots.read, sender.send)
    return Process(clock, sender, routes(clock.problems), settings)


if __name__ == "__main__":
    sys.exit(start(Settings, _clock))
