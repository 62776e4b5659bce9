"""Which passwords are too easy to guess (SECURITY.md 37)."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.emails import parse
from api.auth.passwords import strength
from api.auth.passwords.strength import weakness

EMAIL = parse("anna.schmidt@example.com")
LISTED = [
    line
    for line in Path(strength.__file__).with_name("common.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
LONG = [word for word in LISTED if len(word) >= 12]
ALMOST = [word for word in LISTED[:3_000] if len(word) >= 7]


def _weakness(password: str, name: str | None = "Anna Schmidt") -> str | None:
    return weakness(password, EMAIL, name, "Mana Cloud")


@pytest.mark.checklist(37)
def test_the_list_is_long_enough_and_has_those_that_are_long_enough() -> None:
    assert len(LISTED) >= 10_000
    assert len(LONG) >= 150
    assert [word for word in LONG if _weakness(word) is None] == []


@pytest.mark.checklist(37)
@pytest.mark.parametrize(
    "around", ["\N{GREEK SMALL LETTER IOTA WITH DIALYTIKA AND TONOS}" * 5, "\N{COMBINING ACUTE ACCENT}!", "\u0958" * 5]
)
def test_what_becomes_more_or_less_when_it_is_folded_counts_as_it_was_typed(around: str) -> None:
    assert [word for word in ALMOST if _weakness(word + around) is None] == []


@pytest.mark.checklist(37)
@given(word=st.sampled_from(ALMOST), data=st.data())
def test_a_common_one_with_a_few_characters_more_is_refused(word: str, data: st.DataObject) -> None:
    around = data.draw(st.text(max_size=5))
    cut = data.draw(st.integers(0, len(around)))
    written = "".join(data.draw(st.sampled_from([letter, letter.upper()])) for letter in word)
    assert _weakness(around[:cut] + written + around[cut:]) is not None


@pytest.mark.checklist(37)
@given(unit=st.text(min_size=1, max_size=6), length=st.integers(12, 128))
def test_a_short_unit_repeated_is_refused(unit: str, length: int) -> None:
    assert _weakness((unit * 128)[:length]) is not None


@pytest.mark.checklist(37)
@pytest.mark.parametrize(
    "password",
    [
        *("P4ssw0rd!2024", "$unshine1234", "passwordpassword", "PasswordPassword1", "1qaz2wsx3edc4rfv", "abcdefghijkl"),
        *("qwertzuiop\u00fc12", "azertyuiop123", "zyxwvutsrqpo", "09876543210987", "aaaaBBBBcccc", "asdfghjkl;12"),
        *("anna.schmidt@example.com", "Anna.Schmidt.12", "SCHMIDT-1971!", "ann4.5chm1dt", "annaschmidt2024"),
        *("Mana Cloud 12", "manacloud!2024", "m4n4cl0ud1234", "example.com1!"),
    ],
)
def test_too_easy(password: str) -> None:
    assert _weakness(password) is not None


@pytest.mark.parametrize(
    "password",
    [
        *(
            "correct horse battery staple",
            "kT9#vLq2xW!z",
            "Anna likes purple rain",
            " leading space",
            "zwölf Äpfel éclair",
        ),
        *("a mana potion, brewed slowly", "tr0ub4dor&3-extra", "0b5f9c1e7a3d48", "\U0001f600\U0001f680 to the moon"),
    ],
)
def test_good_enough(password: str) -> None:
    assert _weakness(password) is None


@pytest.mark.checklist(37)
def test_a_name_counts_only_for_its_user() -> None:
    assert _weakness("Grace Hopper1", "Grace Hopper") is not None
    assert _weakness("Grace Hopper1", None) is None


def test_what_chance_makes_is_good() -> None:
    """Twelve characters of base64: one in a million at most may look like a run or a word."""
    refused = [made for made in (secrets.token_urlsafe(9) for _ in range(3_000)) if _weakness(made) is not None]
    assert len(refused) <= 1
