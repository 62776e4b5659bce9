"""Settings of the contract that nothing reads yet: they are checked all the same, so that none is wrong unnoticed
until the day it is needed."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from api.setting_fields import Duration, parts_of

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_LONGEST_WINDOW: Final = timedelta(days=1)
_STRIPE_KEY: Final = re.compile(r"[sr]k_[A-Za-z0-9_]{8,250}")
_WEBHOOK_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,250}")


def _networks(value: object) -> tuple[Network, ...]:
    return tuple(_network(part) for part in parts_of(value))


def _network(part: str) -> Network:
    try:
        return ipaddress.ip_network(part)
    except ValueError as error:
        raise ValueError(f"holds {part!r}, which is no IP address or network such as 10.0.0.0/8") from error


def _stripe_key(value: object) -> str:
    if _STRIPE_KEY.fullmatch(str(value)) is None:
        raise ValueError("is no secret key of Stripe, which begins with sk_ or rk_")
    return str(value)


def _webhook_secret(value: object) -> str:
    if _WEBHOOK_SECRET.fullmatch(str(value)) is None:
        raise ValueError("is no signing secret of a Stripe webhook, which begins with whsec_")
    return str(value)


class SettingsToCome(BaseSettings):
    """Limits on requests, and Stripe's secrets."""

    rate_limit_ttl: Annotated[Duration, Field(le=_LONGEST_WINDOW)] = timedelta(seconds=60)
    rate_limit_max: int = Field(default=100, ge=1, le=1_000_000)
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = ()
    stripe_secret_key: Annotated[SecretStr, BeforeValidator(_stripe_key)] | None = None
    stripe_webhook_secret: Annotated[SecretStr, BeforeValidator(_webhook_secret)] | None = None
