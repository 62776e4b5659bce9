"""What lives as long as the front's process does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from api.apps.services import Services
from api.auth.api_keys.checking import ApiKeys
from api.auth.browser.mode import Browsers
from api.auth.devices import Devices
from api.auth.ended_sessions import EndedSessions
from api.auth.hashing import Hasher
from api.auth.keyring import Keyring
from api.auth.metrics import SignInMetrics
from api.auth.passwords.decoys import Decoys
from api.auth.sessions import Sessions
from api.auth.starting import Starting
from api.auth.tokens import Tokens
from api.broker.client import BrokerClient
from api.clock import Clock
from api.credits.tries import Tries
from api.database import Database
from api.health import Leaving
from api.outbox.delivery import Delivery
from api.payments.stripe_client import Stripe
from api.settings import Settings
from api.throttle.attempts import Attempts
from api.throttle.throttle import Throttle

if TYPE_CHECKING:
    from contracts.spans import Spans


@dataclass(frozen=True)
class Parts:
    """Rooms take from here what they need."""

    settings: Settings
    clock: Clock
    registry: CollectorRegistry
    leaving: Leaving
    database: Database
    broker: BrokerClient
    tries: Tries
    delivery: Delivery
    hasher: Hasher
    decoys: Decoys
    keyring: Keyring
    tokens: Tokens
    browsers: Browsers
    ended: EndedSessions
    sessions: Sessions
    services: Services
    keys: ApiKeys
    starting: Starting
    devices: Devices
    throttle: Throttle
    attempts: Attempts
    sign_ins: SignInMetrics
    stripe: Stripe | None
    """None where nothing can be bought."""
    spans: Spans | None
    """None where nobody wants traces."""
