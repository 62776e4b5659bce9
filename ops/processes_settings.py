"""The settings of our own processes, looked at before anything is started for them: all that is wrong, at once."""

import os
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from api import production
from api import settings as front
from workers import settings as ledger
from workers.apps.settings import AppsSettings
from workers.mail.settings import MailSettings
from workers.payments.settings import PaymentsSettings
from workers.usage.settings import UsageSettings

# What the launcher gives each of them itself, whatever the surroundings say.
_MADE = {
    "database_url": "postgresql://127.0.0.1/mana",
    "database_direct_url": None,
    "amqp_url": "amqp://127.0.0.1/",
    "rabbitmq_management_url": "http://127.0.0.1:15672",
    "redis_url": "redis://127.0.0.1/0",
    "redis_host": "127.0.0.1",
    "redis_port": 6379,
    "redis_password": None,
    "port": 3001,
    "metrics_port": 3002,
    "mana_process_name": "process",
    "mana_partitions": 1,
    "mana_admin_logins": "administrator",
    "mana_front_logins": "front",
    "mana_system_logins": "system",
    "mana_payments_logins": "payments",
}
# What it gives where the surroundings say nothing.
_DEFAULTS = {
    "mana_environment": "development",
    "mana_secret_key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}
_KINDS: tuple[type[BaseSettings], ...] = (
    front.Settings,
    front.RelaySettings,
    ledger.ClockSettings,
    MailSettings,
    PaymentsSettings,
    AppsSettings,
    UsageSettings,
)


def complaints() -> list[str]:
    """A sentence for each setting of this environment that one of the processes would refuse."""
    return list(dict.fromkeys(sentence for kind in _KINDS for sentence in _of(kind)))


def _of(kind: type[BaseSettings]) -> Iterator[str]:
    given: dict[str, Any] = {**_MADE, **{name: os.environ.get(name.upper()) or it for name, it in _DEFAULTS.items()}}
    try:
        settings = kind(**{name: value for name, value in given.items() if name in kind.model_fields})
    except ValidationError as error:
        yield from front.complaints(error)
    else:
        if isinstance(settings, front.Settings):
            yield from production.dangers(settings)
