"""Looks after the signing keys for as long as the process lives: every minute, and whenever the database says that they
have changed; and shows how that goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.auth.keyring import REFRESH_SECONDS, Keyring
from api.database import Connection
from api.errors import Unavailable

_CHANNEL: Final = "mana_signing_keys"

_log = structlog.get_logger(__name__)


class KeyCare:
    """Run ``follow`` as a task; it hears what ``Announcements`` are told of keys."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._told = asyncio.Event()

    @property
    def channel(self) -> str:
        """Where changes of keys are announced."""
        return _CHANNEL

    async def catch_up(self, connection: Connection) -> None:
        """Has the keys looked at: they may have changed while nothing was heard."""
        _ = connection
        self._told.set()

    def hear(self, payload: str) -> None:
        """Has the keys looked at."""
        _ = payload
        self._told.set()

    def fall_deaf(self) -> None:
        """Changes nothing: the keys that are known are looked at every minute all the same."""

    async def follow(self) -> None:
        """Ends only when it is cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_SECONDS):
                    await self._told.wait()
            self._told.clear()
            try:
                await self._keyring.look()
            except Unavailable as error:
                _log.warning("the signing keys cannot be looked after", reason=str(error))


class KeyMetrics(Collector):
    """What an alert should watch: keys that nobody has looked at for an hour miss their rotation."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def collect(self) -> Iterator[Metric]:
        """Asked at each scrape."""
        failures = CounterMetricFamily("mana_keys_look_failures", "Looks at the signing keys that failed")
        failures.add_metric([], self._keyring.failures)
        yield failures
        age = GaugeMetricFamily("mana_keys_age_seconds", "Time since the signing keys were last looked at")
        age.add_metric([], self._keyring.age_seconds)
        yield age
