"""Settings of buying. Without a key of Stripe nothing can be bought, without a webhook's secret none is heard."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from contracts import stripe


def _secrets(value: object) -> tuple[SecretStr, ...]:
    return tuple(map(SecretStr, stripe.webhook_secrets(value)))


class PaymentsSettings(BaseSettings):
    """Stripe's secrets, and where its API is: elsewhere only for a stand-in, in development."""

    stripe_secret_key: Annotated[SecretStr, BeforeValidator(stripe.secret_key)] | None = None
    stripe_webhook_secret: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_secrets)] = ()
    stripe_api_url: Annotated[str, AfterValidator(stripe.api_url)] = stripe.API_URL
