"""Joins the front's parts, and takes them apart again. The only place that knows them all."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from api import app
from api.auth.ended_sessions import EndedSessions
from api.auth.guard import Guard
from api.auth.hashing import Hasher
from api.auth.keyring import Keyring
from api.auth.keys import SigningKey, from_pem
from api.auth.keystore import KeyStore
from api.auth.model import Lifetimes
from api.auth.registration import Registration
from api.auth.routes import AuthRoutes
from api.auth.sealing import Unreadable
from api.auth.sessions import Sessions
from api.auth.sign_in import SignIn
from api.auth.tokens import TokenRules, Tokens
from api.broker.client import BrokerClient
from api.credits.operations import Operations
from api.credits.routes import CreditsRoutes
from api.credits.spending import Spending
from api.credits.store import CreditsStore
from api.credits.tries import Tries
from api.database import Database
from api.errors import Unavailable
from api.health import Health
from api.metrics import BrokerMetrics, HttpMetrics
from api.outbox.delivery import Delivery
from api.running import running
from api.settings import Settings

_log = structlog.get_logger(__name__)


class WrongSecret(Exception):  # noqa: N818 - says what the setting is
    """The database holds keys that this process cannot open."""


@dataclass(frozen=True)
class Front:
    """The application, and what to call when the process is told to stop: it answers whoever waits for a reply."""

    app: ASGIApp
    stop_waiting: Callable[[], None]


@dataclass(frozen=True)
class _Parts:
    """What lives as long as the process does."""

    database: Database
    broker: BrokerClient
    ended: EndedSessions
    hasher: Hasher
    tries: Tries
    registry: CollectorRegistry


def imported_key(settings: Settings) -> SigningKey | None:
    """The key that the settings bring along. Raises ``ValueError`` naming the setting that is wrong."""
    if settings.jwt_private_key is None:
        return None
    return from_pem(settings.jwt_private_key, settings.jwt_public_key)


@asynccontextmanager
async def front(settings: Settings) -> AsyncGenerator[Front]:
    """The running front. It starts while its servers are away, and says so at ``/health/ready``."""
    imported = imported_key(settings)
    registry = CollectorRegistry()
    async with (
        Database.connected(settings.database_url, settings.database_pool_size, "mana-api") as database,
        Tries.connected(settings.redis_address) as tries,
    ):
        parts = _Parts(
            database,
            BrokerClient(settings.amqp_url, BrokerMetrics(registry)),
            EndedSessions(settings.database_url, settings.jwt_access_token_expiry, time.time),
            Hasher(),
            tries,
            registry,
        )
        await parts.hasher.prepare()
        keyring = Keyring(KeyStore(database, settings.mana_secret_key), imported, time.time)
        await _look_at(keyring)
        async with running(parts.broker.keep_connected(), parts.ended.follow()):
            try:
                yield Front(_application(settings, parts, keyring), parts.broker.stop_waiting)
            finally:
                parts.hasher.close()


async def _look_at(keyring: Keyring) -> None:
    """Loads the keys, or makes the first one. Raises ``WrongSecret``; a database that is away is asked again later."""
    try:
        await keyring.current()
    except Unreadable as error:
        raise WrongSecret("MANA_SECRET_KEY is not the key that the signing keys were sealed with") from error
    except Unavailable as error:
        _log.warning("the signing keys are loaded later", reason=str(error))


def _application(settings: Settings, parts: _Parts, keyring: Keyring) -> ASGIApp:
    rules = TokenRules(settings.jwt_issuer, settings.jwt_audience, settings.jwt_access_token_expiry)
    tokens = Tokens(keyring, rules, time.time)
    lifetimes = Lifetimes(settings.jwt_refresh_token_expiry, settings.session_expiry)
    sessions = Sessions(parts.database, tokens, parts.ended, lifetimes)
    delivery = Delivery(parts.database, parts.broker)
    registration = Registration(parts.database, parts.hasher, delivery, signup_bonus=settings.credits_signup_bonus > 0)
    sign_in = SignIn(parts.database, parts.hasher, tokens, lifetimes=lifetimes, secret=settings.mana_secret_key)
    store = CreditsStore(parts.database, settings.credits_daily_free)
    routes = app.Routes(
        AuthRoutes(registration, sign_in, sessions, tokens, keyring),
        CreditsRoutes(store, Operations(store, parts.tries), Spending(parts.broker, delivery, parts.tries)),
        _health(parts),
    )
    return app.build(routes, Guard(tokens, sessions), HttpMetrics(parts.registry), settings.cors_origins)


def _health(parts: _Parts) -> Health:
    return Health({"postgresql": parts.database.ping, "rabbitmq": parts.broker.check}, parts.registry)
