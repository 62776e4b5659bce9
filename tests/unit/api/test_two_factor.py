"""Codes by time, recovery codes, and what becomes of what was presented."""

from __future__ import annotations

import base64
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyotp.totp import TOTP

from api.auth.two_factor import totp
from api.auth.two_factor.judging import (
    LOCK_MAX,
    ByCode,
    ByRecovery,
    Factor,
    Locked,
    Presented,
    Wrong,
    judge,
    lock_after,
)
from api.auth.two_factor.qr import svg
from api.auth.two_factor.recovery import RecoveryCode, new_codes

SECRET = b"12345678901234567890"
"""That of RFC 6238, appendix B, whose codes have eight digits: ours are their last six."""
VECTORS = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
STEP = totp.step_at(1111111111)


def _matching(code: str, *, window: int = 1, after: int = 0) -> int | None:
    return totp.matching_step(SECRET, code, now=STEP, window=window, after=after)


@pytest.mark.parametrize(("seconds", "code"), VECTORS.items())
def test_the_vectors_of_the_standard(seconds: int, code: str) -> None:
    assert totp.code_of(SECRET, totp.step_at(seconds)) == code[-6:]


@given(st.binary(min_size=20, max_size=20), st.floats(min_value=0, max_value=2**35))
def test_codes_are_those_of_another_implementation(secret: bytes, seconds: float) -> None:
    oracle = TOTP(base64.b32encode(secret).decode())
    assert totp.code_of(secret, totp.step_at(seconds)) == oracle.generate_otp(int(seconds) // 30)


@given(st.integers(-4, 4), st.integers(0, 1))
def test_a_code_is_good_in_its_window_alone(away: int, window: int) -> None:
    code = totp.code_of(SECRET, STEP + away)
    assert _matching(code, window=window) == (STEP + away if abs(away) <= window else None)


def test_a_code_is_good_once() -> None:
    """[46]."""
    code = totp.code_of(SECRET, STEP)
    assert _matching(code, after=STEP - 1) == STEP
    assert _matching(code, after=STEP) is None
    assert _matching(code, after=STEP + 1) is None


def test_of_steps_with_one_code_the_latest_is_spent() -> None:
    """[46]: else the same six digits would be good a second time."""
    first, last = 153_567, 153_569
    code = totp.code_of(SECRET, first)
    assert code == totp.code_of(SECRET, last)
    assert totp.matching_step(SECRET, code, now=first + 1, window=1, after=0) == last


@pytest.mark.parametrize("spelling", ["fullwidth", "blank", "sign", "short", "newline"])
def test_a_code_has_one_spelling(spelling: str) -> None:
    """[46]: pyotp takes full-width digits for the same code."""
    code = totp.code_of(SECRET, STEP)
    other = {
        "fullwidth": "".join(chr(0xFF10 + int(digit)) for digit in code),
        "blank": f" {code}",
        "sign": f"+{code[1:]}",
        "short": code[:-1],
        "newline": f"{code}\n",
    }[spelling]
    assert _matching(other) is None


def test_the_address_that_authenticators_read() -> None:
    address = totp.uri(SECRET, "ada+1@example.com", "Mana & Co")
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/Mana & Co:ada+1@example.com")
    assert {name: value for name, (value,) in parse_qs(parts.query).items()} == {
        "secret": base64.b32encode(SECRET).decode(),
        "issuer": "Mana & Co",
        "algorithm": "SHA1",
        "digits": "6",
        "period": "30",
    }
    read = pyotp.parse_uri(address)
    assert isinstance(read, TOTP)
    assert read.at(1111111111) == "050471"


def test_a_qr_code_is_an_image_by_itself() -> None:
    image = svg(totp.uri(SECRET, "ada@example.com", "Mana"))
    assert image.startswith("<svg ")
    assert "http://www.w3.org/2000/svg" in image
    assert image.count("http") == 1


@given(st.binary(min_size=15, max_size=15), st.sampled_from(["-", " ", "", " - "]), st.booleans())
def test_a_recovery_code_is_read_as_people_type_it(secret: bytes, between: str, small: bool) -> None:
    code = RecoveryCode(secret)
    typed = code.text.replace("-", between)
    assert RecoveryCode.parse(typed.lower() if small else typed) == code


@pytest.mark.parametrize("text", ["", "ABCD", "A" * 23, "A" * 25, "0" * 24, "\u0131" * 24, "\uff21" * 24, "1" * 24])
def test_what_is_no_recovery_code(text: str) -> None:
    assert RecoveryCode.parse(text) is None


def test_recovery_codes_cannot_be_guessed() -> None:
    """[49]: 112 bits at least."""
    codes = new_codes()
    assert len({code.hash for code in codes}) == 10
    assert {len(code.secret) * 8 for code in codes} == {120}


CODES = new_codes()


def _factor(*, last_step: int = 0, failures: int = 0, locked: timedelta | None = None) -> Factor:
    return Factor(SECRET, [code.hash for code in CODES], last_step, failures, locked)


def _judge(factor: Factor, presented: Presented) -> object:
    return judge(factor, presented, step=STEP, window=1)


def test_what_is_right() -> None:
    assert _judge(_factor(failures=9), Presented(totp.code_of(SECRET, STEP))) == ByCode(STEP)
    assert _judge(_factor(), Presented(recovery_code=CODES[3].text)) == ByRecovery(CODES[3].hash, 9)


@pytest.mark.parametrize(
    "presented",
    [Presented("000000"), Presented(), Presented(recovery_code=RecoveryCode.new().text), Presented("", CODES[0].text)],
)
def test_what_is_wrong_is_counted_whatever_it_is(presented: Presented) -> None:
    """[49]: recovery codes are counted with the others."""
    assert _judge(_factor(failures=3), presented) == Wrong(4, None)
    assert _judge(_factor(failures=9), presented) == Wrong(10, timedelta(minutes=15))


def test_while_it_is_locked_nothing_is_looked_at() -> None:
    """[47]."""
    left = timedelta(seconds=1)
    for presented in (Presented(totp.code_of(SECRET, STEP)), Presented("000000")):
        assert _judge(_factor(failures=10, locked=left), presented) == Locked(left)


@given(st.integers(0, 2**31 - 1))
def test_locks_grow_to_a_day(failures: int) -> None:
    lock = lock_after(failures)
    assert (lock is None) == (failures < 10)
    if lock is not None:
        assert timedelta(minutes=15) <= lock <= LOCK_MAX
        assert (lock_after(failures + 1) or lock) >= lock


def test_locks_double() -> None:
    minutes = [lock.total_seconds() / 60 for failures in range(10, 19) if (lock := lock_after(failures))]
    assert minutes == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]
