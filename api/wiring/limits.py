"""What counts requests and attempts, joined."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from api.auth.abuse import noted_pressure
from api.auth.sealing import derive
from api.database import Database
from api.settings import Settings
from api.throttle.attempts import Attempts
from api.throttle.classes import classes
from api.throttle.counters import CounterNames
from api.throttle.local_limiter import LocalLimiter
from api.throttle.metrics import LimitMetrics
from api.throttle.pressure import Pressure
from api.throttle.redis_limiter import RedisLimiter
from api.throttle.throttle import Throttle
from api.throttle.two_places import TwoPlaces


@dataclass(frozen=True)
class Limits:
    """What routes are limited with, and what reserves guesses."""

    throttle: Throttle
    attempts: Attempts


@asynccontextmanager
async def limits(settings: Settings, database: Database, registry: CollectorRegistry) -> AsyncGenerator[Limits]:
    """Connected to Redis from when it is first needed."""
    names = CounterNames(derive(settings.mana_secret_key, b"mana: subjects of limits"))
    metrics, by_name = LimitMetrics(registry), classes(settings)
    async with RedisLimiter.connected(settings.redis_address, names, patience=settings.redis_patience) as shared:
        limiter = TwoPlaces(shared, LocalLimiter(names), metrics)
        pressure = Pressure(limiter, by_name["failed_logins"], metrics, noted_pressure(database))
        yield Limits(Throttle(limiter, by_name), Attempts(limiter, pressure, by_name["login_under_pressure"]))
