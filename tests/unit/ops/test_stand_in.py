"""Where there may be a stand-in for Stripe, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import stand_in
from ops.kernel import ProcessId
from ops.place import Place
from ops.roster import Roster
from ops.settings import Settings
from ops.status import Board, ProcessStatus, Status, load
from ops.wish import Wish

AT = "http://127.0.0.1:12345"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "MANA_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)


def running(*names: str) -> Status:
    """An instance of these processes."""
    return Status(supervisor=ProcessId.own(), processes=[ProcessStatus(name=name, url=AT) for name in names])


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


def test_where_it_is() -> None:
    assert stand_in.url_of(running("api", "stripe")) == AT
    assert stand_in.url_of(running("api", "payments")) is None
    assert stand_in.url_of(None) is None


def test_a_demo_without_buying_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "./mana down, then ./mana up --demo" in stand_in.why_the_demo_does_not_buy(running("api"))
    assert "a key of Stripe's own" in stand_in.why_the_demo_does_not_buy(running("api", "payments"))
    monkeypatch.setenv("MANA_ENVIRONMENT", "production")
    assert "in production" in stand_in.why_the_demo_does_not_buy(running("api"))
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_1")
    assert "a key of Stripe's own" in stand_in.why_the_demo_does_not_buy(running("api"))


def test_that_buying_is_off_is_said_with_how_to_turn_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = stand_in.told_of_buying(running("api"))
    assert said.startswith("off  ")
    assert "STRIPE_SECRET_KEY" in said
    assert "./mana down, then ./mana up --demo" in said
    monkeypatch.setenv("MANA_ENVIRONMENT", "production")
    assert "--demo" not in stand_in.told_of_buying(running("api"))


def test_that_no_money_moves_is_said() -> None:
    assert stand_in.told_of_buying(running("api", "payments", "stripe")).startswith(AT)


def test_that_stripe_is_not_heard_is_said() -> None:
    """Of the instance as it was started, whatever the surroundings have now."""
    there = running("api", "payments")
    there.stripe_settings = ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"]
    assert stand_in.told_of_buying(there) == "on, with Stripe's key"
    there.stripe_settings = ["STRIPE_SECRET_KEY"]
    deaf = "on, but nothing that Stripe tells is heard: set STRIPE_WEBHOOK_SECRET"
    assert stand_in.told_of_buying(there) == deaf
    there.stripe_settings = ["STRIPE_WEBHOOK_SECRET"]
    assert stand_in.told_of_buying(there).startswith("off  ")


def test_an_instance_tells_what_it_was_started_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_1")
    board = Board(tmp_path / "status.json")
    Roster(Place(tmp_path), Wish(1, None), Settings(), board)
    board.publish()
    told = load(tmp_path / "status.json")
    assert told is not None
    assert told.stripe_settings == ["STRIPE_SECRET_KEY"]
