"""Settings of buying. Without a key of Stripe nothing can be bought, without a webhook's secret none is heard."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode

from contracts import stripe


def _secrets(value: object) -> tuple[SecretStr, ...]:
    return tuple(map(SecretStr, stripe.webhook_secrets(value)))


def _url(value: str, given: ValidationInfo) -> str:
    key: SecretStr | None = given.data.get("stripe_secret_key")
    return stripe.api_url(value, None if key is None else key.get_secret_value())


class PaymentsSettings(BaseSettings):
    """Stripe's secrets, and where its API is: elsewhere only for a stand-in, in development."""

    stripe_secret_key: Annotated[SecretStr, BeforeValidator(stripe.secret_key)] | None = None
    stripe_webhook_secret: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_secrets)] = ()
    stripe_api_url: Annotated[str, AfterValidator(_url)] = stripe.API_URL
