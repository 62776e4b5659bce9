"""What must not be so where real users sign in: settings that are fine for development alone (SECURITY.md 62)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from api.setting_fields import Rate
from api.settings import Settings
from api.settings_abuse import AbuseSettings
from contracts import stripe

_TIMES_MAX: Final = 100
"""A limit that was raised more than so many times is none."""
_OR_DEVELOPMENT: Final = " Where nobody but developers signs in, set MANA_ENVIRONMENT=development."


def dangers(settings: Settings) -> list[str]:
    """One sentence for each setting that is dangerous in production, by its name; none for development."""
    if settings.mana_environment != "production":
        return []
    return [*_addresses(settings), *_proxies(settings), *_limits(settings), *_payments(settings)]


def _addresses(settings: Settings) -> list[str]:
    """Tokens and passwords go to these, and from them."""
    found = [f"CORS_ORIGINS holds {origin}, which is not https." for origin in settings.cors_origins if _plain(origin)]
    if _plain(settings.public_url):
        found.append("PUBLIC_URL is not https: passwords and tokens would be sent in the clear.")
    return [sentence + _OR_DEVELOPMENT for sentence in found]


def _proxies(settings: Settings) -> list[str]:
    if all(network.prefixlen > 0 for network in settings.trusted_proxies):
        return []
    return ["TRUSTED_PROXIES holds a network of all addresses: everybody could say to be anybody." + _OR_DEVELOPMENT]


def _limits(settings: Settings) -> list[str]:
    usual = AbuseSettings.model_construct()
    rates = {name: getattr(settings, name) for name in AbuseSettings.model_fields if name.startswith("rate_limit_")}
    pairs = {name: (rate, getattr(usual, name)) for name, rate in rates.items() if isinstance(rate, Rate)}
    pairs["rate_limit_max"] = (
        Rate(settings.rate_limit_max, settings.rate_limit_ttl),
        Rate(usual.rate_limit_max, usual.rate_limit_ttl),
    )
    return [
        f"{name.upper()} is more than {_TIMES_MAX} times the default: no limit any more.{_OR_DEVELOPMENT}"
        for name, (rate, default) in pairs.items()
        if rate.count > _TIMES_MAX * default.count or _per_day(rate) > _TIMES_MAX * _per_day(default)
    ]


def _payments(settings: Settings) -> list[str]:
    found: list[str] = []
    if settings.stripe_api_url != stripe.API_URL:
        found.append(f"STRIPE_API_URL is not {stripe.API_URL}: whoever is there could say that money has come in.")
    if settings.stripe_secret_key and not settings.stripe_webhook_secret:
        found.append("STRIPE_WEBHOOK_SECRET is not set, and STRIPE_SECRET_KEY is: payments would not be heard of.")
    return [sentence + _OR_DEVELOPMENT for sentence in found]


def _plain(url: str) -> bool:
    return not url.startswith("https://")


def _per_day(rate: Rate) -> float:
    return rate.count * (timedelta(days=1) / rate.per)
