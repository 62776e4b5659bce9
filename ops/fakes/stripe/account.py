"""One account's objects in one mode, test or live, in memory."""

import secrets
import string
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from ops.fakes.stripe.cards import Behaviour
from ops.fakes.stripe.clock import Clock
from ops.fakes.stripe.errors import JSON, missing

API_VERSION = "2026-10-28.endive"
_LETTERS = string.ascii_letters + string.digits
_NAMES = {"checkout.session": "checkout.session", "payment_method": "PaymentMethod"}


@dataclass(frozen=True)
class Cause:
    """The request that made something happen; neither where a person on the page or time itself did."""

    request: str | None = None
    idempotency_key: str | None = None


BY_ITSELF = Cause()


@dataclass
class Secret:
    """What an endpoint's deliveries are signed with, until a time (seconds since the epoch) or for good."""

    value: str
    until: int | None = None


@dataclass
class Settings:
    """Switches of the stand-in itself."""

    refunds_pending: bool = False
    """New refunds stay pending until they are settled by the control API."""
    async_seconds: float | None = 5.0
    """A bank debit is decided so much later; None: by the control API alone."""
    answer_delay_seconds: float = 0.0
    """Each POST to the API takes so much longer, before anything is done."""
    answers_failed: int = 0
    """So many of the next POSTs are answered with 500 and nothing is done."""
    answers_lost: int = 0
    """So many of the next POSTs are done, and the connection is cut before the answer."""


@dataclass
class Account:
    """All that Stripe would have in its databases."""

    livemode: bool
    clock: Clock
    url: str
    settings: Settings
    tell: Callable[[JSON], None]
    """Takes an event to the endpoints."""
    behaviour: dict[str, Behaviour] = field(default_factory=dict[str, Behaviour])
    """By payment method: what comes of charging it."""
    secrets: dict[str, list[Secret]] = field(default_factory=dict[str, list[Secret]])
    """By webhook endpoint, newest first."""
    line_items: dict[str, list[JSON]] = field(default_factory=dict[str, list[JSON]])
    """By Checkout session."""
    intent_data: dict[str, JSON] = field(default_factory=dict[str, JSON])
    """By Checkout session: what its payment intent is to be like."""
    deleted_customers: set[str] = field(default_factory=set[str])
    """Their ids can still be asked for."""
    _objects: defaultdict[str, dict[str, JSON]] = field(default_factory=lambda: defaultdict(dict))

    def keep(self, made: JSON) -> JSON:
        """Adds an object."""
        self._objects[made["object"]][made["id"]] = made
        return made

    def drop(self, gone: JSON) -> None:
        """Takes an object away."""
        del self._objects[gone["object"]][gone["id"]]

    def get(self, kind: str, name: str, *, param: str = "id", status: int = 404) -> JSON:
        """An object by its id; ``param`` and ``status`` are for the error where there is none."""
        found = self._objects[kind].get(name)
        if found is None:
            raise missing(_NAMES.get(kind, kind), name, param=param, status=status)
        return found

    def find(self, name: str) -> JSON | None:
        """An object of any kind."""
        return next((rows[name] for rows in self._objects.values() if name in rows), None)

    def all(self, kind: str) -> list[JSON]:
        """All objects of a kind, the newest first, as Stripe lists them."""
        return list(reversed(self._objects[kind].values()))

    def base(self, prefix: str, kind: str) -> JSON:
        """What every object begins with."""
        return {"id": new_id(prefix), "object": kind, "created": self.clock.now(), "livemode": self.livemode}


def new_id(prefix: str, length: int = 24) -> str:
    """An id that no other run of the stand-in gives: databases outlive it."""
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(length))}"


def change(known: JSON, **fields: object) -> JSON:
    """Sets fields of an object; answers with what those held that are other now, as events tell it."""
    before = {name: known[name] for name, value in fields.items() if known[name] != value}
    known.update(fields)
    return before
