"""``python -m workers.apps``: the keeper of apps' logins at the broker."""

from __future__ import annotations

import sys

from workers.apps.keeper import Keeper
from workers.apps.meters import AppsMeters
from workers.apps.settings import AppsSettings
from workers.broker.lazy import LazyBroker
from workers.health import routes
from workers.process import Process
from workers.start import start


def _apps(settings: AppsSettings) -> Process:
    keeper = Keeper(settings, AppsMeters())
    # It speaks to the broker's management alone; the application's own broker is never started.
    return Process(keeper, LazyBroker(settings.amqp_url), routes(keeper.problems), settings)


if __name__ == "__main__":
    sys.exit(start(AppsSettings, _apps))
