"""The classes of requests and attempts that are counted, each with its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from api.setting_fields import Rate
from api.settings_abuse import AbuseSettings

ClassName = Literal[
    "general",
    "login",
    "login_network",
    "login_under_pressure",
    "failed_logins",
    "register",
    "refresh",
    "mail",
    "mail_addressee",
    "link",
    "token",
    "token_address",
    "second_factor",
    "credentials",
    "export",
    "admin",
    "purchases",
]
BackoffName = Literal["account", "device", "password"]

_PRESSURE: Final = Rate(600, timedelta(seconds=30))
"""More failed sign-ins than this, of everybody together, are no mistyping: 20 a second for half a minute."""
_PRESSURE_SHARE: Final = 6
"""Under pressure an address has the sixth part of its sign-ins left, from devices that nobody knows."""


@dataclass(frozen=True)
class LimitClass:
    """So many in a window, for each subject; what is used up comes back evenly, one after the other."""

    name: ClassName
    quota: int
    window: timedelta


@dataclass(frozen=True)
class Backoff:
    """Guesses at one secret: some are free, each further one waits twice as long as the one before.

    ``forgotten`` is how long after the last one the free ones are forgotten. From ``closed_at`` guesses in a row no
    more are taken for ``closed_for``, unless somebody begins the counter anew.
    """

    name: BackoffName
    free: int = 10
    first_delay: timedelta = timedelta(seconds=30)
    longest_delay: timedelta = timedelta(minutes=15)
    forgotten: timedelta = timedelta(days=1)
    closed_at: int = 100
    closed_for: timedelta = timedelta(days=30)


ACCOUNT: Final = Backoff("account")
"""By typed e-mail address, whoever has it: guesses from devices that its user has not signed in from."""
DEVICE: Final = Backoff("device")
"""By typed e-mail address and known device: strangers' guesses do not lock this one out."""
PASSWORD: Final = Backoff("password")
"""By user: guesses of whoever holds a session."""


def classes(settings: AbuseSettings) -> Mapping[ClassName, LimitClass]:
    """Every class by its name."""
    login = settings.rate_limit_login
    rates: dict[ClassName, Rate] = {
        "general": Rate(settings.rate_limit_max, settings.rate_limit_ttl),
        "login": login,
        "login_network": settings.rate_limit_login_network,
        "login_under_pressure": Rate(max(1, login.count // _PRESSURE_SHARE), login.per),
        "failed_logins": _PRESSURE,
        "register": settings.rate_limit_register,
        "refresh": settings.rate_limit_refresh,
        "mail": settings.rate_limit_mail,
        "mail_addressee": settings.rate_limit_mail_addressee,
        "link": settings.rate_limit_link,
        "token": settings.rate_limit_token,
        "token_address": settings.rate_limit_token_address,
        "second_factor": settings.rate_limit_second_factor,
        "credentials": settings.rate_limit_credentials,
        "export": settings.rate_limit_export,
        "admin": settings.rate_limit_admin,
        "purchases": settings.rate_limit_purchases,
    }
    return {name: LimitClass(name, rate.count, rate.per) for name, rate in rates.items()}
