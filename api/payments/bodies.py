"""Bodies and headers of the routes of buying, as clients send them."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Header
from pydantic import AfterValidator, Field, StrictBool

from api.auth.bodies import Body
from api.credits.queries import matching
from api.payments.model import Order, Reason
from api.text import PlainText
from contracts.fields import KEY_LENGTH_MAX

_URL_LENGTH_MAX: Final = 2_000
_NOT_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f\\]")
_KEY: Final = f"[!-~]{{1,{KEY_LENGTH_MAX}}}"


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError("is no address") from error
    if not good or _NOT_IN_URLS.search(value):
        raise ValueError("is no address that begins with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("holds a user's name, which an address to be led to has not")
    return value


Url = Annotated[PlainText, Field(max_length=_URL_LENGTH_MAX, json_schema_extra={"format": "uri"}), AfterValidator(_url)]
IdempotencyKey = Annotated[
    Annotated[str, *matching(_KEY, f"must be 1 to {KEY_LENGTH_MAX} printable characters of ASCII, without spaces")]
    | None,
    Header(alias="Idempotency-Key"),
]


class PurchaseBody(Body):
    """Body of ``POST /credits/purchases``; the payer is led to ``successUrl`` or ``cancelUrl``, which may hold
    ``{CHECKOUT_SESSION_ID}``; to pages of ours where they are not given."""

    package_id: Annotated[PlainText, Field(min_length=1, max_length=200)]
    success_url: Url | None = None
    cancel_url: Url | None = None
    currency: Annotated[str, *matching("[a-z]{3}", "is no currency of ISO 4217 in lower case")] = "eur"
    save_payment_method: StrictBool = False

    def order(self) -> Order:
        """What is asked for."""
        return Order(self.package_id, self.currency, self.success_url, self.cancel_url, self.save_payment_method)


class RefundBody(Body):
    """Body of ``POST /admin/purchases/{purchaseId}/refund``; ``amount`` in the smallest unit of the currency, all that
    is left where it is not given."""

    amount: Annotated[int, Field(strict=True, ge=1, le=10**12)] | None = None
    reason: Reason | None = None
