"""Each setting is checked before anything starts, and a wrong one is named without being shown."""

from __future__ import annotations

import base64
import os
from datetime import timedelta

import pytest
from pydantic import ValidationError

from api.setting_fields import Rate
from api.settings import RelaySettings, Settings, complaints

KEY = base64.b64encode(os.urandom(32)).decode()
GOOD = {"DATABASE_URL": "postgresql://a:b@h/d", "AMQP_URL": "amqp://a:b@h/", "MANA_SECRET_KEY": KEY}


def _settings(monkeypatch: pytest.MonkeyPatch, **change: str | None) -> Settings:
    for name, value in {**GOOD, **change}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return Settings()  # pyright: ignore[reportCallIssue] - the environment gives them


def test_defaults_are_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(monkeypatch)
    assert settings.port == 3001
    assert settings.mana_bind_host == "127.0.0.1"
    assert settings.jwt_access_token_expiry == timedelta(minutes=15)
    assert settings.jwt_refresh_token_expiry == timedelta(days=7)
    assert (settings.credits_signup_bonus, settings.credits_daily_free) == (150, 5)
    assert settings.redis_address == "redis://127.0.0.1:6379/0"
    assert settings.mana_environment == "production"
    assert (settings.rate_limit_ttl, settings.rate_limit_max) == (timedelta(seconds=60), 100)
    assert settings.rate_limit_login == Rate(30, timedelta(minutes=15))
    assert settings.trusted_proxies == ()
    assert settings.password_hash_threads >= 1


def test_a_rate_is_so_many_in_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _settings(monkeypatch, RATE_LIMIT_LOGIN="5 / 1 h").rate_limit_login == Rate(5, timedelta(hours=1))


def test_the_public_address_is_an_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _settings(monkeypatch, PUBLIC_URL="https://mana.example:8443/").public_url == "https://mana.example:8443"


def test_whose_word_about_addresses_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    given = _settings(monkeypatch, TRUSTED_PROXIES="10.0.0.0/8, 192.0.2.1, 2001:db8::/32")
    assert [str(network) for network in given.trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"]


def test_a_variable_of_the_crash_points_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    says = "MANA_CRASH_AT is set in a production process, which has no crash points."
    with pytest.raises(ValidationError) as refused:
        _settings(monkeypatch, MANA_CRASH_AT="signup_after_commit:1")
    assert complaints(refused.value) == [says]
    with pytest.raises(ValidationError) as refused:
        RelaySettings()  # pyright: ignore[reportCallIssue] - the environment gives them
    assert complaints(refused.value) == [says]


def test_redis_by_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(monkeypatch, REDIS_HOST="cache", REDIS_PORT="1234", REDIS_PASSWORD="p@ss/word")
    assert settings.redis_address == "redis://:p%40ss%2Fword@cache:1234/0"
    assert _settings(monkeypatch, REDIS_URL="redis://other/1").redis_address == "redis://other/1"


def test_how_long_a_request_waits_for_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _settings(monkeypatch).redis_patience == 0.05
    assert _settings(monkeypatch, REDIS_WAIT_MS="5000").redis_patience == 5.0


@pytest.mark.checklist(62)
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", None, "is not set"),
        ("DATABASE_URL", "mysql://x", "postgresql://"),
        ("AMQP_URL", "http://x", "amqp://"),
        ("AMQP_URL", "amqp://h:notaport/", "is not a URL"),
        ("REDIS_URL", "x", "redis://"),
        ("MANA_SECRET_KEY", None, "is not set"),
        ("MANA_SECRET_KEY", "short", "base64"),
        ("MANA_SECRET_KEY", base64.b64encode(b"x" * 16).decode(), "16 bytes"),
        ("MANA_SECRET_KEY", base64.b64encode(b"\0" * 32).decode(), "placeholder"),
        ("PORT", "0", "greater than"),
        ("PORT", "x", "integer"),
        ("JWT_ACCESS_TOKEN_EXPIRY", "soon", "no duration"),
        ("JWT_ACCESS_TOKEN_EXPIRY", "2d", "longer than a day"),
        ("JWT_REFRESH_TOKEN_EXPIRY", "0d", "no duration"),
        ("JWT_REFRESH_TOKEN_EXPIRY", "31d", "longer than SESSION_EXPIRY"),
        ("SESSION_EXPIRY", "1d", "JWT_REFRESH_TOKEN_EXPIRY is longer"),
        ("RATE_LIMIT_TTL", "0", "no duration"),
        ("RATE_LIMIT_TTL", "2d", "less than or equal to"),
        ("RATE_LIMIT_MAX", "0", "greater than"),
        ("RATE_LIMIT_MAX", "many", "integer"),
        ("RATE_LIMIT_LOGIN", "30", "no rate"),
        ("RATE_LIMIT_LOGIN", "0/15m", "no rate"),
        ("RATE_LIMIT_LOGIN", "-1/15m", "no rate"),
        ("RATE_LIMIT_LOGIN", "1000001/15m", "no rate"),
        ("RATE_LIMIT_MAIL", "10/soon", "no duration"),
        ("RATE_LIMIT_EXPORT", "3/2d", "more than a day"),
        ("MANA_ENVIRONMENT", "staging", "production"),
        ("PUBLIC_URL", "mana.example", "no address"),
        ("PUBLIC_URL", "https://mana.example/path", "without a path"),
        ("SITE_NAME", "x" * 101, "100 characters"),
        ("JWT_ALGORITHM", "HS256", "EdDSA"),
        ("JWT_KEY_ROTATION", "1m", "greater than"),
        ("REFRESH_GRACE_SECONDS", "61", "less than"),
        ("SESSIONS_MAX", "0", "greater than"),
        ("RECENT_SIGN_IN", "2d", "less than"),
        ("PASSWORD_HASH_THREADS", "0", "greater than"),
        ("TWO_FACTOR_WINDOW", "2", "less than"),
        ("CREDITS_SIGNUP_BONUS_AT", "never", "verified_email"),
        ("TRUSTED_PROXIES", "10.0.0.1, proxy.example", "no IP address or network"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "no IP address or network"),
        ("STRIPE_SECRET_KEY", "pk_test_0123456789", "begins with sk_test_"),
        ("STRIPE_WEBHOOK_SECRET", "sk_test_0123456789", "begins with whsec_"),
        ("DATABASE_URL", "", "is not set"),
        ("JWT_PUBLIC_KEY", "x", "needs JWT_PRIVATE_KEY"),
        ("CREDITS_SIGNUP_BONUS", "-1", "greater than"),
        ("CREDITS_DAILY_FREE", "1.5", "integer"),
        ("CORS_ORIGINS", "example.com", "no origin"),
        ("CORS_ORIGINS", "*", "no origin"),
        ("CORS_ORIGINS", "https://a.example/path", "no origin"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _settings(monkeypatch, **{name: value})
    (sentence,) = complaints(caught.value)
    assert name in sentence
    assert says in sentence
    assert sentence.endswith(".")


def test_secrets_of_stripe(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = _settings(monkeypatch)
    assert (bare.stripe_secret_key, bare.stripe_webhook_secret) == (None, ())
    given = _settings(
        monkeypatch,
        STRIPE_SECRET_KEY="rk_live_0123456789abcdef",
        STRIPE_WEBHOOK_SECRET="whsec_0123456789abcdef, whsec_fedcba9876543210",
    )
    assert [secret.get_secret_value()[-4:] for secret in given.stripe_webhook_secret] == ["cdef", "3210"]
    assert "0123456789abcdef" not in repr(given)


@pytest.mark.parametrize(
    ("mode", "url", "says"),
    [
        ("test", "http://stripe.example", "is not https, and not on this machine"),
        ("test", "http://127.0.0.1.stripe.example", "is not https, and not on this machine"),
        ("live", "https://stripe.example", "live key, which is told to nobody else"),
        ("live", "http://127.0.0.1:12111", "live key, which is told to nobody else"),
    ],
)
def test_whom_a_key_of_stripe_is_told(monkeypatch: pytest.MonkeyPatch, mode: str, url: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _settings(monkeypatch, STRIPE_SECRET_KEY=f"sk_{mode}_0123456789abcdef", STRIPE_API_URL=url)
    (sentence,) = complaints(caught.value)
    assert sentence.startswith("STRIPE_API_URL is not ")
    assert says in sentence


@pytest.mark.parametrize(
    ("mode", "url"),
    [
        *[("test", f"http://{host}:12111") for host in ("127.0.0.1", "localhost", "[::1]")],
        *[("test", "https://stripe.example"), ("live", "https://api.stripe.com/")],
    ],
)
def test_whom_a_key_of_stripe_may_be_told(monkeypatch: pytest.MonkeyPatch, mode: str, url: str) -> None:
    given = _settings(monkeypatch, STRIPE_SECRET_KEY=f"rk_{mode}_0123456789abcdef", STRIPE_API_URL=url)
    assert given.stripe_api_url == url.rstrip("/")


@pytest.mark.parametrize(
    "name",
    [
        *("PORT", "REDIS_URL", "JWT_PRIVATE_KEY", "JWT_REFRESH_TOKEN_EXPIRY", "CORS_ORIGINS", "MANA_BIND_HOST"),
        *("RATE_LIMIT_LOGIN", "PUBLIC_URL", "MANA_ENVIRONMENT", "PASSWORD_HASH_THREADS", "SITE_NAME"),
        *("RATE_LIMIT_TTL", "RATE_LIMIT_MAX", "TRUSTED_PROXIES", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"),
    ],
)
def test_an_empty_value_counts_as_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert _settings(monkeypatch, **{name: ""}) == _settings(monkeypatch, **{name: None})


@pytest.mark.checklist(44)
def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as caught:
        _settings(monkeypatch, MANA_SECRET_KEY="hunter2hunter2")
    assert "hunter2" not in " ".join(complaints(caught.value))
