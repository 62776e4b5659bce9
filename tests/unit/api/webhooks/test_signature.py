"""Which signatures of Stripe's are good: by its own library, at a time of the test's choosing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from stripe import WebhookSignature

from api.webhooks.refusals import Reason
from api.webhooks.signature import TOLERANCE_SECONDS, Flaw, flaw_in, read

NOW = 1_800_000_000
BODY = '{"id": "evt_1", "x": "ü"}'
NEW, OLD = "whsec_new", "whsec_old"


def signed(at: int = NOW, secret: str = NEW, body: str = BODY) -> str:
    return WebhookSignature.generate_signature_header(body, secret, at)


def flaw(
    header: str, body: bytes = BODY.encode(), now: float = NOW, secrets: Sequence[str] = (NEW, OLD)
) -> Reason | None:
    written = read(header)
    return "header" if written is None else flaw_in(body, written, secrets, now)


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (0, None),
        (299, None),
        (300, None),
        (300.5, "stale"),
        (301, "stale"),
        (-299, None),
        (-300, None),
        (-301, "ahead"),
    ],
)
def test_five_minutes_in_both_directions(age: float, told: Flaw | None) -> None:
    assert TOLERANCE_SECONDS == 300
    assert flaw(signed(), now=NOW + age) == told


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_each_secret_of_the_endpoint_counts(secret: str) -> None:
    assert flaw(signed(secret=secret)) is None


def test_one_good_signature_among_several_is_enough() -> None:
    """Stripe signs with the old secret and the new one, and by schemes of other versions."""
    _, _, mine = signed().partition("v1=")
    assert flaw(f"t={NOW},v1={'0' * 64},v1={mine},v0={'1' * 64}") is None
    assert flaw(f"t={NOW},v0={mine}") == "header"


def test_without_a_secret_none_is_good() -> None:
    assert flaw(signed(secret=""), secrets=[]) == "forged"


def test_any_other_byte_is_another_body() -> None:
    header, body = signed(), BODY.encode()
    for place in range(len(body)):
        changed = bytearray(body)
        changed[place] ^= 1
        assert flaw(header, bytes(changed)) in {"forged", "encoding"}
    for other in (body + b"\n", b"\xef\xbb\xbf" + body, body[:-1], b""):
        assert flaw(header, other) == "forged"


@pytest.mark.parametrize("at", [NOW - 10_000, NOW + 10_000])
def test_a_time_that_was_not_signed_does_not_count(at: int) -> None:
    """Neither in the place of the signed one nor beside it, before or behind."""
    _, _, mine = signed(at).partition("v1=")
    assert flaw(f"t={NOW},v1={mine}") == "forged"
    assert flaw(f"t={at},t={NOW},v1={mine}") == "header"
    assert flaw(f"t={NOW},t={at},v1={mine}") == "header"


@pytest.mark.parametrize("first", ["t=+{}", "t={}=6", "t= {}", "t={} ", "t=0{}", "t=1_{}", "t=-{}", "t={}.0", "t"])
def test_a_second_time_counts_however_it_is_written(first: str) -> None:
    """Of what was signed long ago, with another time beside it: the library reads whichever stands first."""
    old = NOW - 10_000
    _, _, mine = signed(old).partition("v1=")
    assert flaw(f"{first.format(old)},t={NOW},v1={mine}") == "header"
    assert flaw(f"t={NOW},{first.format(old)},v1={mine}") == "header"


_GOOD = "v1=" + "0" * 64


@pytest.mark.parametrize(
    "header",
    [
        *("", " ", "t", "t=", "=", ",", "t=1", _GOOD, f"t=,{_GOOD}", f"t=x,{_GOOD}", f"t=-1,{_GOOD}", f"t=1_0,{_GOOD}"),
        *(f"t={'9' * 5_000},{_GOOD}", f"t=٣,{_GOOD}", f"t=1,{_GOOD}é", "t=1,v1=é", f"t=1;{_GOOD}", f"T=1,{_GOOD}"),
        *("t=1,v1=" + "0" * 63, "t=1,v1=" + "g" * 64),
    ],
)
def test_what_no_signature_could_be(header: str) -> None:
    assert flaw(header) == "header"


@pytest.mark.parametrize("body", [b"\xff", b"\xc3", b"\xed\xa0\x80", BODY.encode("utf-16")])
def test_what_is_not_utf_8_cannot_have_been_signed(body: bytes) -> None:
    assert flaw(signed(), body) == "encoding"
