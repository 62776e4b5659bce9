"""How secrets are looked for: in every form that they might have, and nothing else is taken for one."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.canaries.search import search
from tests.integration.canaries.secret import Secret, of_token

TOKEN = "q8Zk2-x_Yw0aJb1VnT3mLr7uPcE5gHs9dFiK4oQeXyU"
PASSWORD = Secret("password", 'Canary "é" & 0123456789', guessable=True)
LINK = Secret("link", TOKEN, other=of_token(TOKEN))


FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "upper": lambda text: text.upper().encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 amid others": lambda text: base64.b64encode(b"x:" + text.encode() + b"."),
    "base64url amid others": lambda text: base64.urlsafe_b64encode(b"a" + text.encode()),
    "URL": lambda text: quote(text).encode(),
    "JSON": lambda text: json.dumps(text).encode(),
}


def _found(text: bytes, folder: Path) -> list[str]:
    place = folder / "place"
    place.mkdir()
    (place / "log").write_bytes(b"before " + text + b" after\n")
    return [hit.secret.name for hit in search([PASSWORD, LINK], [place], folder)]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("secret", [PASSWORD, LINK], ids=["password", "link"])
def test_a_secret_is_found_in_any_form(tmp_path: Path, secret: Secret, form: Callable[[str], bytes]) -> None:
    assert _found(form(secret.text), tmp_path) == [secret.name]


def test_what_a_token_stands_for_is_found(tmp_path: Path) -> None:
    assert _found(base64.urlsafe_b64decode(TOKEN + "=").hex().encode(), tmp_path) == ["link"]


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_bare_hash_gives_away_what_can_be_guessed_and_nothing_else(tmp_path: Path, algorithm: str) -> None:
    hashes = [hashlib.new(algorithm, one.text.encode()).hexdigest().encode() for one in (PASSWORD, LINK)]
    assert _found(b" ".join(hashes), tmp_path) == ["password"]


def test_what_is_no_secret_is_not_found(tmp_path: Path) -> None:
    assert _found(b"Canary 0123456789", tmp_path) == []
