"""Settings of the contract that nothing reads yet: they are checked all the same, so that none is wrong unnoticed
until the day it is needed."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import BaseSettings

_STRIPE_KEY: Final = re.compile(r"[sr]k_[A-Za-z0-9_]{8,250}")
_WEBHOOK_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,250}")


def _stripe_key(value: object) -> str:
    if _STRIPE_KEY.fullmatch(str(value)) is None:
        raise ValueError("is no secret key of Stripe, which begins with sk_ or rk_")
    return str(value)


def _webhook_secret(value: object) -> str:
    if _WEBHOOK_SECRET.fullmatch(str(value)) is None:
        raise ValueError("is no signing secret of a Stripe webhook, which begins with whsec_")
    return str(value)


class SettingsToCome(BaseSettings):
    """Stripe's secrets."""

    stripe_secret_key: Annotated[SecretStr, BeforeValidator(_stripe_key)] | None = None
    stripe_webhook_secret: Annotated[SecretStr, BeforeValidator(_webhook_secret)] | None = None
