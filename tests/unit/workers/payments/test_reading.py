"""What comes from the queue is read, or kept as what cannot be read."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest

from tests.unit.workers.payments.examples import body, dispute, intent, refund, session
from workers.payments.reading import UNREADABLE, UnreadableError, event, incoming


def test_an_event_is_kept_by_its_id() -> None:
    came = body("refund.created", refund(), created=1_700_000_000)
    kept = incoming(came)
    assert (kept.id, kept.type, kept.body, kept.livemode) == ("evt_1", "refund.created", came, False)
    assert kept.created_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert kept.refused is None


@pytest.mark.parametrize("created", [None, "1", True, -1, 10**30, 1.5])
def test_a_strange_time_or_mode_keeps_no_event_out(created: object) -> None:
    kept = incoming(body("refund.created", refund(), created=created, livemode="yes"))
    assert (kept.id, kept.created_at, kept.livemode, kept.refused) == ("evt_1", None, None, None)


@pytest.mark.parametrize(
    "came",
    [
        b"",
        b"{",
        b"null",
        b"[1]",
        b'"evt_1"',
        b"{}",
        b'{"id": "evt_1"}',
        b'{"type": "refund.created"}',
        b'{"id": 1, "type": "refund.created"}',
        b'{"id": "", "type": "refund.created"}',
        b'{"id": "evt_1\\u0000", "type": "refund.created"}',
        b'{"id": "unreadable:1", "type": "refund.created"}',
        b'{"id": "evt_1\\n", "type": "refund.created"}',
        b'{"id": "evt_1", "type": "a b"}',
        b"[" * 100_000,
        json.dumps({"id": "e" * 256, "type": "refund.created"}).encode(),
    ],
)
def test_what_is_no_event_is_kept_by_its_hash(came: bytes) -> None:
    kept = incoming(came)
    assert (kept.id, kept.type, kept.body) == (f"unreadable:{hashlib.sha256(came).hexdigest()}", UNREADABLE, came)
    assert kept.refused


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("checkout.session.completed", session(id=None)),
        ("checkout.session.completed", session(id="cs_1:x")),
        ("checkout.session.completed", session(id="c" * 161)),
        ("checkout.session.completed", session(amount_total=-1)),
        ("checkout.session.completed", session(amount_total=10**13)),
        ("checkout.session.completed", session(amount_total=5.5)),
        ("checkout.session.completed", session(currency="EUR")),
        ("checkout.session.completed", session(metadata="x")),
        ("payment_intent.succeeded", intent(status=None)),
        ("refund.created", refund(amount=0)),
        ("refund.created", refund(payment_intent={"id": "pi_1"})),
        ("charge.refunded", {"payment_intent": "pi_1"}),
        ("charge.dispute.created", dispute(amount="500")),
        ("charge.dispute.created", {}),
    ],
)
def test_what_lacks_what_its_type_must_have_cannot_be_read(kind: str, about: dict[str, object]) -> None:
    with pytest.raises(UnreadableError):
        event(body(kind, about))


def test_what_was_forgotten_cannot_be_read() -> None:
    with pytest.raises(UnreadableError, match="forgotten"):
        event(None)


def test_what_stripe_adds_is_passed_over() -> None:
    assert event(body("refund.created", refund(new={"deep": [1]}), new=1)) == event(body("refund.created", refund()))
