"""Settings of what holds off abuse: how many requests of whom, and whose word about an address is believed."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.client_address import Network
from api.setting_fields import Duration, Rate, RateField, parts_of

_LONGEST_WINDOW: Final = timedelta(days=1)
_QUARTER: Final = timedelta(minutes=15)
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)


def _networks(value: object) -> tuple[Network, ...]:
    return tuple(_network(part) for part in parts_of(value))


def _network(part: str) -> Network:
    try:
        return ipaddress.ip_network(part)
    except ValueError as error:
        raise ValueError(f"holds {part!r}, which is no IP address or network such as 10.0.0.0/8") from error


class AbuseSettings(BaseSettings):
    """A limit is for one client address unless its name says otherwise."""

    model_config = SettingsConfigDict(validate_default=False)

    rate_limit_ttl: Annotated[Duration, Field(le=_LONGEST_WINDOW)] = timedelta(seconds=60)
    rate_limit_max: int = Field(default=100, ge=1, le=1_000_000)
    rate_limit_login: RateField = Rate(30, _QUARTER)
    rate_limit_login_network: RateField = Rate(300, _QUARTER)
    rate_limit_register: RateField = Rate(10, _HOUR)
    rate_limit_refresh: RateField = Rate(120, _MINUTE)
    rate_limit_mail: RateField = Rate(10, _HOUR)
    rate_limit_mail_addressee: RateField = Rate(3, _HOUR)
    rate_limit_link: RateField = Rate(20, _QUARTER)
    rate_limit_token: RateField = Rate(100, _QUARTER)
    rate_limit_token_address: RateField = Rate(1_000, _QUARTER)
    rate_limit_second_factor: RateField = Rate(30, _QUARTER)
    rate_limit_credentials: RateField = Rate(10, _HOUR)
    rate_limit_export: RateField = Rate(3, timedelta(days=1))
    rate_limit_admin: RateField = Rate(300, _MINUTE)
    rate_limit_purchases: RateField = Rate(30, _HOUR)
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_networks)] = ()
