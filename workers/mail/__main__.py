"""``python -m workers.mail``: the mail worker."""

from __future__ import annotations

import sys
from typing import Final

from contracts.topology import MAIL_QUEUE
from workers.broker.bell import Bell
from workers.health import routes
from workers.mail.mailing import Mailing
from workers.mail.meters import MailMeters
from workers.mail.settings import MailSettings
from workers.mail.store import MailStore
from workers.mail.transports import transport
from workers.mail.wording import Wording
from workers.mail.worker import MailWorker
from workers.process import Process
from workers.start import start

_AT_ONCE: Final = 4
"""Mails in hand: mail servers take few conversations of one client, and each mail must be through while its order is
claimed, also where the server takes a minute over every one."""


def _mail(settings: MailSettings) -> Process:
    """Raises ``SettingsError`` where mails would go nowhere, or not safely."""
    store = MailStore(settings.database_url, application_name=settings.mana_process_name)
    mailing = Mailing(store, transport(settings), Wording.of(settings), MailMeters())
    bell = Bell(settings.amqp_url, MAIL_QUEUE, mailing.on_ring, at_once=_AT_ONCE)
    worker = MailWorker(bell, mailing, store)
    return Process(worker, bell, routes(worker.problems), settings)


if __name__ == "__main__":
    sys.exit(start(MailSettings, _mail))
