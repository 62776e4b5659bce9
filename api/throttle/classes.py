"""The classes of requests that are counted, each with its figure from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from api.setting_fields import Rate
from api.settings_abuse import AbuseSettings

ClassName = Literal[
    "general",
    "login",
    "login_network",
    "register",
    "refresh",
    "mail",
    "mail_addressee",
    "link",
    "second_factor",
    "export",
    "admin",
]


@dataclass(frozen=True)
class LimitClass:
    """So many in a window, for each subject."""

    name: ClassName
    quota: int
    window: timedelta


def classes(settings: AbuseSettings) -> Mapping[ClassName, LimitClass]:
    """Every class by its name."""
    rates: dict[ClassName, Rate] = {
        "general": Rate(settings.rate_limit_max, settings.rate_limit_ttl),
        "login": settings.rate_limit_login,
        "login_network": settings.rate_limit_login_network,
        "register": settings.rate_limit_register,
        "refresh": settings.rate_limit_refresh,
        "mail": settings.rate_limit_mail,
        "mail_addressee": settings.rate_limit_mail_addressee,
        "link": settings.rate_limit_link,
        "second_factor": settings.rate_limit_second_factor,
        "export": settings.rate_limit_export,
        "admin": settings.rate_limit_admin,
    }
    return {name: LimitClass(name, rate.count, rate.per) for name, rate in rates.items()}
