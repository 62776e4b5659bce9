"""The front, from its settings to its application, and while it runs."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from api import app
from api.apps.services import Services
from api.auth.announcements import Announcements
from api.auth.api_keys.checking import ApiKeys
from api.auth.browser.mode import Browsers
from api.auth.devices import Devices
from api.auth.ended_sessions import EndedSessions
from api.auth.guard import Guard
from api.auth.hashing import Hasher
from api.auth.key_care import KeyCare, KeyMetrics
from api.auth.key_schedule import KeyRules
from api.auth.keyring import Keyring
from api.auth.keys import SigningKey, from_pem
from api.auth.keystore import KeyStore
from api.auth.metrics import SignInMetrics
from api.auth.model import Lifetimes
from api.auth.passwords.decoys import Decoys
from api.auth.sealing import Unreadable
from api.auth.sessions import Sessions
from api.auth.starting import Starting
from api.auth.tokens import TokenRules, Tokens
from api.credits.tries import Tries
from api.database import Database
from api.errors import Unavailable
from api.health import Leaving
from api.metrics import BrokerMetrics, count_hashes, count_redis, process_registry, show_pool
from api.openapi import document_of
from api.outbox.delivery import Delivery
from api.payments.stripe_client import Stripe
from api.running import running
from api.settings import Settings
from api.wiring import (
    admin,
    api_keys,
    apps,
    mail_links,
    me,
    operation,
    packages,
    passwords,
    payments,
    services,
    sessions,
    tracing,
    two_factor,
    webhooks,
)
from api.wiring import credits as credits_room
from api.wiring.layers import layers
from api.wiring.limits import Limits, limits
from api.wiring.parts import Parts

if TYPE_CHECKING:
    from contracts.spans import Spans

_ROOMS: Final = (
    sessions,
    passwords,
    mail_links,
    two_factor,
    me,
    api_keys,
    services,
    admin,
    apps,
    packages,
    credits_room,
    payments,
    webhooks,
    operation,
)

_log = structlog.get_logger(__name__)


class WrongSecret(Exception):  # noqa: N818 - says what the setting is
    """The database holds keys that this process cannot open."""


@dataclass(frozen=True)
class Front:
    """The application, and what to call when the process is told to stop: ``leave`` makes its health say so,
    ``stop_waiting`` answers whoever waits for a reply."""

    app: ASGIApp
    leave: Callable[[], None]
    stop_waiting: Callable[[], None]


def imported_key(settings: Settings) -> SigningKey | None:
    """The key that the settings bring along. Raises ``ValueError`` naming the setting that is wrong."""
    if settings.jwt_private_key is None:
        return None
    key = from_pem(settings.jwt_private_key, settings.jwt_public_key)
    if "jwt_algorithm" in settings.model_fields_set and settings.jwt_algorithm != key.algorithm:
        raise ValueError(f"JWT_ALGORITHM is {settings.jwt_algorithm}, and JWT_PRIVATE_KEY is a key for {key.algorithm}")
    return key


@asynccontextmanager
async def front(settings: Settings, spans: Spans | None = None) -> AsyncGenerator[Front]:
    """The running front. It starts while its servers are away, and says so at ``/health/ready``. ``spans``: where those
    of traces go, if anybody wants them."""
    _log.info(webhooks.buying(settings))
    async with _made(settings, spans) as parts:
        count_hashes(parts.registry, parts.hasher)
        show_pool(parts.registry, parts.database)
        count_redis(parts.registry, lambda: parts.tries.connections)
        await _look_at(parts.keyring)
        care = KeyCare(parts.keyring)
        announcements = Announcements(settings.announcing_database_url, [parts.ended, parts.services, care])
        async with running(parts.broker.keep_connected(), announcements.follow(), care.follow(), parts.decoys.follow()):
            try:
                yield Front(_application(parts), parts.leaving.begin, parts.broker.stop_waiting)
            finally:
                parts.hasher.close()


async def openapi(settings: Settings) -> dict[str, Any]:
    """What the front serves at ``/openapi.json``; no server is asked for anything."""
    async with _made(settings) as parts:
        try:
            return document_of(app.application(_routers(parts), _guard(parts), parts.throttle))
        finally:
            parts.hasher.close()


@asynccontextmanager
async def _made(settings: Settings, spans: Spans | None = None) -> AsyncGenerator[Parts]:
    """The parts, each of which connects when it is first needed."""
    imported, registry = imported_key(settings), process_registry()
    async with (
        Database.connected(
            settings.database_url, settings.database_pool_size, "mana-api", settings.database_statement_cache
        ) as database,
        Tries.connected(settings.redis_address, settings.redis_patience) as tries,
        limits(settings, database, registry) as limited,
        payments.stripe(settings, registry) as stripe,
    ):
        yield _parts(settings, database, tries, limited, stripe, registry=registry, imported=imported, spans=spans)


def _parts(
    settings: Settings,
    database: Database,
    tries: Tries,
    limited: Limits,
    stripe: Stripe | None,
    *,
    registry: CollectorRegistry,
    imported: SigningKey | None,
    spans: Spans | None,
) -> Parts:
    clock = time.time
    lifetimes = Lifetimes(
        settings.jwt_refresh_token_expiry, settings.session_expiry, timedelta(seconds=settings.refresh_grace_seconds)
    )
    rules = TokenRules(settings.jwt_issuer, settings.jwt_audience, settings.jwt_access_token_expiry)
    broker = tracing.broker(settings.amqp_url, BrokerMetrics(registry), spans)
    keyring = Keyring(KeyStore(database, settings.mana_secret_key), imported, clock, _key_rules(settings, imported))
    registry.register(KeyMetrics(keyring))
    tokens = Tokens(keyring, rules, clock)
    ended = EndedSessions(settings.jwt_access_token_expiry, clock)
    devices = Devices(settings.mana_secret_key)
    decoys = Decoys(database, settings.mana_secret_key)
    return Parts(
        settings=settings,
        clock=clock,
        registry=registry,
        leaving=Leaving(),
        database=database,
        broker=broker,
        tries=tries,
        delivery=Delivery(database, broker),
        hasher=Hasher(settings.password_hash_threads, decoys.of),
        decoys=decoys,
        keyring=keyring,
        tokens=tokens,
        browsers=Browsers((settings.public_url, *settings.cors_origins)),
        ended=ended,
        sessions=Sessions(database, tokens, ended, lifetimes),
        services=Services(database),
        keys=ApiKeys(database),
        starting=Starting(lifetimes, devices, settings.sessions_max),
        devices=devices,
        throttle=limited.throttle,
        attempts=limited.attempts,
        sign_ins=SignInMetrics(registry),
        stripe=stripe,
        spans=spans,
    )


def _key_rules(settings: Settings, imported: SigningKey | None) -> KeyRules:
    """The algorithm of a key that is brought along, where no other was asked for."""
    algorithm = settings.jwt_algorithm
    if imported is not None and "jwt_algorithm" not in settings.model_fields_set:
        algorithm = imported.algorithm
    return KeyRules(algorithm, settings.jwt_key_rotation, settings.jwt_access_token_expiry)


async def _look_at(keyring: Keyring) -> None:
    """Loads the keys, or makes the first one. Raises ``WrongSecret``; a database that is away is asked again later."""
    try:
        await keyring.current()
    except Unreadable as error:
        raise WrongSecret("MANA_SECRET_KEY is not the key that the signing keys were sealed with") from error
    except Unavailable as error:
        _log.warning("the signing keys are loaded later", reason=str(error))


def _application(parts: Parts) -> ASGIApp:
    return app.build(_routers(parts), _guard(parts), parts.throttle, layers(parts))


def _routers(parts: Parts) -> list[APIRouter]:
    return [room.router(parts) for room in _ROOMS]


def _guard(parts: Parts) -> Guard:
    return Guard(parts.tokens, parts.sessions, parts.keys, parts.services)
