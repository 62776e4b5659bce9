"""Where to ask: at an instance that runs in our place, or wherever the environment says."""

import os
from collections.abc import Mapping
from typing import Final

import msgspec

from ops import envfile, status, urls
from ops.place import Place
from ops.status import ProcessStatus

_METRICS: Final = "MANA_METRICS_URLS"
_AMQP: Final = "MANA_AMQP_URL"
_MANAGEMENT: Final = "MANA_RABBITMQ_MANAGEMENT_URL"
_DATABASE: Final = "MANA_DATABASE_READONLY_URL"
NAMES: Final = (_METRICS, _AMQP, _MANAGEMENT, _DATABASE)


class Sources(msgspec.Struct, frozen=True):
    """`metrics`: each process's address by its name. `processes`: what a supervisor of ours tells of them, None where
    none is. The others are None where nobody named them."""

    where: str
    metrics: Mapping[str, str]
    management: str | None
    amqp: str | None
    database: str | None
    processes: list[ProcessStatus] | None


def find(place: Place, environment: Mapping[str, str] = os.environ) -> Sources | None:
    """What the environment names goes before what `.mana/env` says; None where nothing runs and nothing is named.

    Looked up anew each time: an instance that starts again has other processes, and perhaps other ports.
    """
    named = {name: value for name in NAMES if (value := environment.get(name))}
    told = None if _METRICS in named else status.living(place.status)
    if told is None and _METRICS not in named:
        return None
    known = {**(envfile.read(place.env) if told is not None else {}), **named}
    addresses = [address for address in known.get(_METRICS, "").split(",") if address]
    processes = None if told is None else told.processes
    return Sources(
        where=str(place.home) if told is not None else _METRICS,
        metrics={_name(address, processes or []): address for address in addresses},
        management=known.get(_MANAGEMENT),
        amqp=known.get(_AMQP),
        database=known.get(_DATABASE),
        processes=processes,
    )


def _name(address: str, processes: list[ProcessStatus]) -> str:
    """A process's own name where we know it, else where it is."""
    where = urls.where(address)
    return next((process.name for process in processes if process.url and urls.where(process.url) == where), where)
