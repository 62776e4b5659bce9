"""An app's secret is looked at in the same time, whatever is wrong with it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import pytest

from api.apps.client_store import KnownSecret
from api.apps.secret_check import matching_secret


def _known(secret_id: str, text: str) -> KnownSecret:
    salt = secret_id.encode()[:4]
    return KnownSecret(secret_id, salt + hashlib.sha256(salt + text.encode()).digest())


TWO = (_known("one1", "a"), _known("two2", "b"))


@pytest.mark.parametrize(
    ("text", "known", "found"),
    [("a", TWO, "one1"), ("b", TWO, "two2"), ("c", TWO, None), ("a", TWO[1:], None), ("a", (), None), ("", (), None)],
)
def test_which_secret_it_is(text: str, known: Sequence[KnownSecret], found: str | None) -> None:
    assert matching_secret(text, known) == found


@pytest.mark.parametrize("known", [TWO, TWO[:1], ()])
def test_as_many_hashes_are_made_for_every_app(monkeypatch: pytest.MonkeyPatch, known: Sequence[KnownSecret]) -> None:
    """[21]: unknown, wrong, revoked, the first and the second one: two hashes, and two comparisons in constant time."""
    compared = list[bytes]()
    really = hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return really(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for text in ("a", "b", "neither"):
        compared.clear()
        matching_secret(text, known)
        assert len(compared) == 2
