"""What the front, which sends payers to Stripe, and the worker that Stripe tells must agree on.

Amounts are money, in the smallest unit of a currency. Ids are Stripe's own, but for those of purchases and users.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

API_VERSION: Final = "2026-10-28.endive"
"""Of Stripe's API; webhook endpoints are to be set to the same."""

API_URL: Final = "https://api.stripe.com"

PURCHASE_ID: Final = "purchase_id"
USER_ID: Final = "user_id"
"""Names in the metadata of Checkout sessions, payment intents, refunds and customers: what they are for, and whose."""

REFUND_KEY: Final = "refund_key"
REFUND_ASKED: Final = "refund_asked"
"""Names in the metadata of refunds: which request they are of, and how much it asked for, ``full`` for what is left."""

EVENT_BYTES_MAX: Final = 1_000_000
"""Of a webhook's body. The broker takes messages up to 1 MiB."""

_KEY: Final = re.compile(r"[sr]k_(test|live)_[A-Za-z0-9_]{8,250}")
_WEBHOOK_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,250}")


def secret_key(value: object) -> str:
    """Reads ``STRIPE_SECRET_KEY``. Raises ``ValueError``, without the value."""
    if _KEY.fullmatch(str(value)) is None:
        raise ValueError("is no secret key of Stripe, which begins with sk_test_, sk_live_, rk_test_ or rk_live_")
    return str(value)


def webhook_secrets(value: object) -> tuple[str, ...]:
    """Reads ``STRIPE_WEBHOOK_SECRET``: one or more, with commas. Raises ``ValueError``, without the value."""
    secrets = tuple(part.strip() for part in str(value).split(",") if part.strip())
    if not secrets or not all(_WEBHOOK_SECRET.fullmatch(secret) for secret in secrets):
        raise ValueError("is no signing secret of a Stripe webhook, which begins with whsec_, nor several with commas")
    return secrets


def api_url(value: str, key: str | None) -> str:
    """Reads ``STRIPE_API_URL``, for a secret key. Raises ``ValueError``.

    Keys are told to whoever is there: never over a network in the clear, and those of real money to Stripe alone.
    """
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("is no address such as https://api.stripe.com, without a path")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("is not https, and not on this machine")
    url = value.rstrip("/")
    if url != API_URL and key is not None and is_live(key):
        raise ValueError(f"is not {API_URL}, and STRIPE_SECRET_KEY is a live key, which is told to nobody else")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_live(key: str) -> bool:
    """Whether real money moves under a secret key."""
    return key.startswith(("sk_live_", "rk_live_"))


def checkout_key(purchase_id: str, attempt: int) -> str:
    """Stripe's idempotency key of the Checkout session, or of the payment off-session, of a purchase."""
    return f"mana:{purchase_id}:{attempt}"


def paid_key(payment_intent: str) -> str:
    """The ledger's key of ``credits.purchase``, paid."""
    return f"stripe:purchase:{payment_intent}"


def failed_key(payment_object: str) -> str:
    """The ledger's key of ``credits.purchase``, failed; of the Checkout session, or of the payment intent."""
    return f"stripe:purchase_failed:{payment_object}"


def refund_key(refund: str, state: str) -> str:
    """The ledger's key of a refund's state."""
    return f"stripe:refund:{refund}:{state}"


def dispute_key(dispute: str, amount: int, state: str) -> str:
    """The ledger's key of a dispute's state, while so much is asked for: that may change without another state."""
    return f"stripe:dispute:{dispute}:{amount}:{state}"
