"""A front with dangerous settings does not start, and each danger is told by its setting's name."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest

from api.production import dangers
from api.settings import Settings

GOOD = {
    "database_url": "postgresql://a:b@h/d",
    "amqp_url": "amqp://a:b@h/",
    "mana_secret_key": base64.b64encode(os.urandom(32)).decode(),
    "public_url": "https://mana.example",
    "cors_origins": "https://app.example",
    "trusted_proxies": "10.0.0.0/8",
}


def _settings(**change: Any) -> Settings:
    return Settings.model_validate({**GOOD, **change})


def test_nothing_is_dangerous_in_good_settings() -> None:
    assert dangers(_settings()) == []


@pytest.mark.checklist(62)
@pytest.mark.parametrize(
    ("change", "begins"),
    [
        ({"public_url": "http://mana.example"}, "PUBLIC_URL is not https"),
        ({"cors_origins": "https://app.example,http://app.example"}, "CORS_ORIGINS holds http://app.example"),
        ({"trusted_proxies": "0.0.0.0/0"}, "TRUSTED_PROXIES holds a network of all addresses"),
        ({"trusted_proxies": "10.0.0.0/8,::/0"}, "TRUSTED_PROXIES holds a network of all addresses"),
        ({"rate_limit_login": "3001/15m"}, "RATE_LIMIT_LOGIN is more than 100 times the default"),
        ({"rate_limit_login": "30/8s"}, "RATE_LIMIT_LOGIN is more than 100 times the default"),
        ({"rate_limit_mail_addressee": "301/1h"}, "RATE_LIMIT_MAIL_ADDRESSEE is more than 100 times the default"),
        ({"rate_limit_max": 1_000_000, "rate_limit_ttl": "1s"}, "RATE_LIMIT_MAX is more than 100 times the default"),
        ({"stripe_api_url": "http://127.0.0.1:12111"}, "STRIPE_API_URL is not https://api.stripe.com"),
        ({"stripe_secret_key": "sk_live_12345678"}, "STRIPE_WEBHOOK_SECRET is not set"),
    ],
    ids=str,
)
def test_a_danger_is_told_in_a_sentence(change: dict[str, Any], begins: str) -> None:
    (sentence,) = dangers(_settings(**change))
    assert sentence.startswith(begins)
    assert sentence.endswith("set MANA_ENVIRONMENT=development.")
    assert dangers(_settings(**change, mana_environment="development")) == []


def test_a_limit_may_be_raised_within_reason() -> None:
    assert dangers(_settings(rate_limit_max=10_000, rate_limit_login="3000/15m")) == []


def test_a_key_with_a_webhook_secret_is_no_danger() -> None:
    assert dangers(_settings(stripe_secret_key="sk_live_12345678", stripe_webhook_secret="whsec_12345678")) == []
    assert dangers(_settings(stripe_webhook_secret="whsec_12345678")) == []
