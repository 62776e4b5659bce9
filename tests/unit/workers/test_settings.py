"""A worker's settings: each checked at the start, the wrong one named."""

from __future__ import annotations

import pytest

from workers.settings import SettingsError, load

GOOD = {"DATABASE_URL": "postgresql://worker@127.0.0.1/mana", "AMQP_URL": "amqp://worker@127.0.0.1/"}


def _set(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in {**GOOD, **settings}.items():
        monkeypatch.setenv(name, value)


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, CREDITS_DAILY_FREE="")
    settings = load()
    assert (settings.credits_signup_bonus, settings.credits_daily_free) == (150, 5)
    assert str(settings.mana_bind_host) == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://x"),
        ("AMQP_URL", "http://x"),
        ("METRICS_PORT", "0"),
        ("MANA_BIND_HOST", "nowhere"),
        ("LOG_LEVEL", "loud"),
        ("MANA_PARTITIONS", "0"),
        ("MANA_PARTITIONS", "1025"),
        ("MANA_BATCH_MAX", "many"),
        ("CREDITS_SIGNUP_BONUS", "-1"),
        ("CREDITS_DAILY_FREE", "1.5"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    _set(monkeypatch, **{name: value})
    with pytest.raises(SettingsError, match=f"^{name}: "):
        load()


def test_a_variable_of_the_crash_points_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, MANA_CRASH_AT="after_commit:1")
    with pytest.raises(SettingsError, match=r"^MANA_CRASH_AT: set in a production process"):
        load()


def test_logins_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, MANA_ADMIN_LOGINS="root, ops ,")
    assert load().logins.admin == {"root", "ops"}
