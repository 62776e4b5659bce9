"""A worker's settings: each checked at the start, the wrong one named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from workers.mail.settings import MailSettings
from workers.payments.settings import PaymentsSettings
from workers.process_settings import SettingsError, read
from workers.settings import Settings

GOOD = {"DATABASE_URL": "postgresql://worker@127.0.0.1/mana", "AMQP_URL": "amqp://worker@127.0.0.1/"}


def _set(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in {**GOOD, **settings}.items():
        monkeypatch.setenv(name, value)


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, CREDITS_DAILY_FREE="")
    settings = read(Settings)
    assert (settings.credits_signup_bonus, settings.credits_daily_free) == (150, 5)
    assert settings.credits_refund_policy == "debt"
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
        ("CREDITS_REFUND_POLICY", "forget"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    _set(monkeypatch, **{name: value})
    with pytest.raises(SettingsError, match=f"^{name}: "):
        read(Settings)


def test_a_variable_of_the_crash_points_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, MANA_CRASH_AT="after_commit:1")
    with pytest.raises(SettingsError, match=r"^MANA_CRASH_AT: set in a production process"):
        read(Settings)


def test_logins_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, MANA_ADMIN_LOGINS="root, ops ,")
    assert read(Settings).logins.admin == {"root", "ops"}


def test_defaults_of_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch)
    settings = read(MailSettings)
    assert (settings.mana_environment, settings.smtp_url, settings.mail_folder) == ("production", None, None)
    assert settings.links_base == "http://127.0.0.1:3001"
    assert (settings.email_verify_expiry, settings.password_reset_expiry) == (timedelta(days=1), timedelta(minutes=30))


def test_links_lead_where_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, PUBLIC_URL="https://mana.example/", MAIL_LINKS_URL="https://app.example/mana/")
    assert read(MailSettings).links_base == "https://app.example/mana"
    _set(monkeypatch, MAIL_LINKS_URL="")
    assert read(MailSettings).links_base == "https://mana.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "mail.example.com"),
        ("SMTP_URL", "http://mail.example.com"),
        ("SITE_NAME", "Mana\r\nBcc: c@d.example"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@b.example\r\nBcc: c@d.example"),
        ("MAIL_LINKS_URL", "https://app.example?x=y"),
        ("PUBLIC_URL", "ftp://h"),
        ("MANA_ENVIRONMENT", "staging"),
        ("EMAIL_VERIFY_EXPIRY", "soon"),
        ("PASSWORD_RESET_EXPIRY", "1s"),
    ],
)
def test_a_wrong_setting_of_mails_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    _set(monkeypatch, **{name: value})
    with pytest.raises(SettingsError, match=f"^{name}: "):
        read(MailSettings)


@pytest.mark.parametrize("sender", ["mana@localhost", "Mana <mana@example.com>", "mail@mana.test"])
def test_who_mails_are_from(monkeypatch: pytest.MonkeyPatch, sender: str) -> None:
    _set(monkeypatch, MAIL_FROM=sender)
    assert read(MailSettings).mail_from == sender


@pytest.mark.parametrize(
    ("mode", "url", "says"),
    [
        ("test", "http://stripe.example", "is not https, and not on this machine"),
        ("live", "http://127.0.0.1:12111", "live key, which is told to nobody else"),
        ("live", "https://stripe.example", "live key, which is told to nobody else"),
    ],
)
def test_whom_a_key_of_stripe_is_told(monkeypatch: pytest.MonkeyPatch, mode: str, url: str, says: str) -> None:
    _set(monkeypatch, STRIPE_SECRET_KEY=f"sk_{mode}_0123456789abcdef", STRIPE_API_URL=url)
    with pytest.raises(SettingsError, match=f"^STRIPE_API_URL: .*{says}"):
        read(PaymentsSettings)
