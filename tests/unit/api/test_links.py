"""Whether a link is still good: for a locked user, by purpose, address and epoch (SECURITY.md 40, 42, 51)."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.mail_links.links import Link, Purpose, hash_of, is_good
from api.auth.model import Standing, User

OWN, OTHER = "ada@example.com", "Ada@example.com"
PURPOSES: tuple[Purpose, ...] = ("email_verify", "email_change", "password_reset")


@pytest.mark.checklist(40, 42, 51)
@given(
    purpose=st.sampled_from(PURPOSES),
    email=st.sampled_from([OWN, OTHER]),
    link_epoch=st.integers(0, 2),
    epoch=st.integers(0, 2),
    banned=st.booleans(),
)
def test_links_of_another_address_or_epoch(
    purpose: Purpose, email: str, link_epoch: int, epoch: int, banned: bool
) -> None:
    now = Standing(
        User(UUID(int=1), OWN, None, "user", False, datetime.now(UTC)), banned=banned, epoch=epoch, language="en"
    )
    bound_to_address = {"email_verify": True, "email_change": False, "password_reset": True}[purpose]
    bound_to_epoch = {"email_verify": False, "email_change": True, "password_reset": True}[purpose]
    good = is_good(Link(UUID(int=2), purpose, email, link_epoch), now)
    assert good is (
        not banned and (email == OWN or not bound_to_address) and (link_epoch == epoch or not bound_to_epoch)
    )


@given(st.binary(min_size=32, max_size=32))
def test_a_token_is_known_by_the_hash_of_its_bytes(secret: bytes) -> None:
    text = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    assert hash_of(text) == hashlib.sha256(secret).digest()


@given(st.text())
def test_other_text_is_no_token(text: str) -> None:
    assert len(text) == 43 or hash_of(text) is None
