"""What an operator may ask of apps, and how one who asks wrongly is told."""

from __future__ import annotations

import pytest

from api.apps.admin.model import Declared
from api.operators.apps.__main__ import main
from api.operators.apps.asking import asked, changed_app, new_app
from contracts.apps import Permission

OLD = Declared("Chat", ("credits:use", "admin"), 5, 6)
USUAL: tuple[Permission, ...] = ("credits:use", "credits:refund", "events:read")


def test_without_options_an_app_is_usual() -> None:
    wanted = new_app(asked(["create", "chat"]))
    assert wanted.id == "chat"
    assert wanted.declared() == Declared("chat", USUAL, None, None)


def test_permissions_stand_in_their_order_each_once() -> None:
    words = ["create", "chat", *(word for p in ("admin", "credits:use", "admin") for word in ("--permission", p))]
    assert new_app(asked(words)).permissions == ["credits:use", "admin"]


def test_what_is_not_named_stays() -> None:
    def changed(*words: str) -> Declared:
        return changed_app(asked(["change", "chat", *words])).declared(OLD)

    assert changed("--name", "Talk") == Declared("Talk", ("credits:use", "admin"), 5, 6)
    assert changed("--permission", "none") == Declared("Chat", (), 5, 6)
    assert changed("--commands-per-second", "default", "--unanswered-max", "7") == Declared(
        "Chat", ("credits:use", "admin"), None, 7
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("create", "a b"), "ID a b must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -.\n"),
        (("create", "Stripe"), "ID Stripe is reserved.\n"),
        (("create", "x", "--permission", "all"), "--permission all must be credits:use, "),
        (("create", "x", "--unanswered-max", "0"), "--unanswered-max 0 must be at least 1.\n"),
        (("create", "x", "--commands-per-second", "many"), "--commands-per-second many must be "),
        (("create", "x", "--name", "a\x1bb"), "--name a\ufffdb holds a control character or a lone surrogate.\n"),
        (("change", "nobody"), "say what is to change: "),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_sentence(
    words: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody is asked for it: there is no database at this address."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("MANA_AMQP_URL", "amqp://nobody@127.0.0.1:1/")
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(sentence)
    assert said.err.count("\n") == 1
