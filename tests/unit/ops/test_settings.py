from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.topology import Bounds
from ops import settings
from ops.errors import LauncherError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://h/d"),
        ("AMQP_URL", "http://h"),
        ("REDIS_URL", "localhost"),
        ("RABBITMQ_MANAGEMENT_URL", "h:15672"),
        ("PORT", "0"),
        ("PORT", "forty"),
        ("PORT", "40000"),
        ("EVENTS_LOG_BYTES", "199999999"),
        ("EVENTS_LOG_AGE", "0"),
        ("EVENTS_LOG_AGE", "a year"),
        ("SUBSCRIBER_QUEUE_BYTES", "0"),
        ("SUBSCRIBER_QUEUE_LENGTH", "999"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(LauncherError, match=f"The setting {name} is wrong"):
        settings.read()


def test_all_that_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("AMQP_URL", "http://h")
    with pytest.raises(LauncherError) as refused:
        settings.read()
    assert [line.split()[2] for line in str(refused.value).splitlines()] == ["AMQP_URL", "PORT"]


def test_empty_means_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("PORT", "")
    assert (settings.read().database_url, settings.read().port) == (None, 3001)


def test_redis_by_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.read().given_redis is None
    monkeypatch.setenv("REDIS_HOST", "cache")
    assert settings.read().given_redis == "redis://cache:6379/0"
    monkeypatch.setenv("REDIS_PASSWORD", "a/b")
    assert settings.read().given_redis == "redis://:a%2Fb@cache:6379/0"
    monkeypatch.setenv("REDIS_URL", "redis://other")
    assert settings.read().given_redis == "redis://other"


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.read().bounds == Bounds()
    monkeypatch.setenv("EVENTS_LOG_BYTES", "200000000")
    monkeypatch.setenv("EVENTS_LOG_AGE", "90d")
    monkeypatch.setenv("SUBSCRIBER_QUEUE_BYTES", "1000000")
    monkeypatch.setenv("SUBSCRIBER_QUEUE_LENGTH", "1000")
    monkeypatch.setenv("DEAD_LETTERS_AGE", "30d")
    assert settings.read().bounds == Bounds(200_000_000, timedelta(days=90), 1_000_000, 1_000, timedelta(days=30))
