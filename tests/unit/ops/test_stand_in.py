"""Where there may be a stand-in for Stripe, and what is said where there is none."""

from __future__ import annotations

import pytest

from ops import stand_in
from ops.kernel import ProcessId
from ops.status import ProcessStatus, Status


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STRIPE_SECRET_KEY", "MANA_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)


def running(*names: str) -> Status:
    """An instance of these processes."""
    return Status(supervisor=ProcessId.own(), processes=[ProcessStatus(name=name, url=None) for name in names])


def test_never_beside_a_key_of_stripes_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "")
    assert stand_in.may_start()
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_1")
    assert not stand_in.may_start()


def test_never_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANA_ENVIRONMENT", "development")
    assert stand_in.may_start()
    monkeypatch.setenv("MANA_ENVIRONMENT", "production")
    assert not stand_in.may_start()


def test_that_buying_is_off_is_said_with_how_to_turn_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = stand_in.off(running("api")) or ""
    assert "STRIPE_SECRET_KEY" in said
    assert "./mana down, then ./mana up --demo" in said
    assert stand_in.off(running("api", "stripe")) is None
    assert stand_in.off(running("api", "payments")) is None
    monkeypatch.setenv("MANA_ENVIRONMENT", "production")
    assert "--demo" not in (stand_in.off(running("api")) or "--demo")
