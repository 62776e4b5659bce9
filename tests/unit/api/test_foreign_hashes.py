"""Hashes that other systems made are checked as those did, by published examples; what would take too much is not."""

from __future__ import annotations

import unicodedata

import bcrypt
import pytest

from api.auth.hashing import Hasher
from api.auth.passwords.foreign_hashes import checker, from_werkzeug

RFC_7914 = "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"
# Argon2: the reference implementation's test.c; bcrypt: OpenBSD's; scrypt: RFC 7914, 12, as passlib writes it.
PUBLISHED = [
    ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
    ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    ("abc", "$2y$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    ("pleaseletmein", f"$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU${RFC_7914}"),
]
WERKZEUG = (
    "scrypt:16384:8:1$SodiumChloride$7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
)
TOO_MUCH = [
    "$2b$15$" + "a" * 53,
    "$2b$31$" + "a" * 53,
    "$scrypt$ln=17,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43,
    "$scrypt$ln=16,r=8,p=2$c2FsdHNhbHQ$" + "A" * 43,
    "$scrypt$ln=99,r=999,p=999$c2FsdHNhbHQ$" + "A" * 43,
    "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
    "$argon2id$v=19$m=1024,t=100000,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
    "$argon2id$v=19$m=65536,t=1,p=4096$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43,
]
NONE_OF_OURS = [
    *("", "nonsense", "$1$salt$hash", "$2b$12$short", "$2b$4$" + "a" * 53, "$2x$04$" + "a" * 53),
    *("$2b$04$" + "." * 21 + "z" + "." * 31, "$scrypt$ln=0,r=8,p=1$c2FsdHNhbHQ$" + "A" * 43),
    *("$scrypt$ln=14,r=0,p=1$c2FsdHNhbHQ$" + "A" * 43, "$scrypt$ln=14,r=8,p=0$c2FsdHNhbHQ$" + "A" * 43),
    *("$scrypt$ln=16,r=1,p=1$c2FsdHNhbHQ$" + "A" * 43, "$scrypt$ln=4,r=8,p=1$A$" + "A" * 45),
]


@pytest.mark.checklist(36)
@pytest.mark.parametrize(("password", "stored"), PUBLISHED)
async def test_published_examples_fit_and_count_as_outdated(password: str, stored: str) -> None:
    hasher = Hasher(1)
    assert await hasher.verify(password, stored, b"who") is True
    assert await hasher.verify(password + "x", stored, b"who") is False
    assert hasher.started == 2
    assert hasher.is_outdated(stored)
    hasher.close()


@pytest.mark.checklist(36)
@pytest.mark.parametrize("stored", TOO_MUCH + NONE_OF_OURS)
async def test_what_would_take_too_much_or_is_none_is_not_computed(stored: str) -> None:
    """One decoy's work instead, which is soon done: Argon2id with 4 GiB, or bcrypt of 2^31 rounds, would not be."""
    hasher = Hasher(1)
    assert await hasher.verify("password", stored, b"who") is False
    assert hasher.started == 1
    hasher.close()


@pytest.mark.checklist(35)
def test_bcrypt_sees_the_first_72_bytes_as_its_makers_did() -> None:
    password = "é" * 35 + "€ and more"
    check = checker(bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode())
    assert check is not None
    assert check(password)
    assert check(password + "tail")
    assert not check("e" + password[1:])


@pytest.mark.checklist(35)
def test_a_password_fits_as_it_was_typed_and_in_composed_form() -> None:
    composed, decomposed = (unicodedata.normalize(form, "zwölf Äpfel éclair") for form in ("NFC", "NFD"))
    for made_of, fits in ((composed, {composed, decomposed}), (decomposed, {decomposed})):
        check = checker(bcrypt.hashpw(made_of.encode(), bcrypt.gensalt(4)).decode())
        assert check is not None
        assert {typed for typed in (composed, decomposed) if check(typed)} == fits


def test_werkzeugs_form_is_kept_as_passlibs() -> None:
    assert from_werkzeug(WERKZEUG) == PUBLISHED[-1][1]


@pytest.mark.parametrize(
    "text", ["", "pbkdf2:sha256:1$s$00", WERKZEUG.replace("16384", "16385"), WERKZEUG[:-1], "x$y$z"]
)
def test_what_is_not_werkzeugs(text: str) -> None:
    assert from_werkzeug(text) is None
