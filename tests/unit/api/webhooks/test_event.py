"""What is an event of Stripe, as far as the front looks."""

from __future__ import annotations

import pytest

from api.webhooks.event import id_of


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "evt_1", "type": "charge.refunded"}',
        b' {"type":"v2.core.account[requirements].updated","data":{"object":{"id":"x"}},"id":"evt_1"}\n',
    ],
)
def test_an_event_has_its_id(body: bytes) -> None:
    assert id_of(body) == "evt_1"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"null", b"1", b'"evt_1"', b"[]", b"{}", b'{"id": "evt_1"}', b'{"type": "a"}', b"\xff"),
        *(b'{"id": "evt_1", "type": "a"', b'{"id": "evt_1", "type": "a"} x', b'{"id": "evt_1", "type": "a",}'),
        *(b'{"id": 1, "type": "a"}', b'{"id": null, "type": "a"}', b'{"id": ["evt_1"], "type": "a"}'),
        *(b'{"id": "evt_", "type": "a"}', b'{"id": "xevt_1", "type": "a"}', b'{"id": "evt_1 ", "type": "a"}'),
        *(b'{"id": "evt_1\\n", "type": "a"}', b'{"id": "evt_\\u00e9", "type": "a"}', b'{"id": "evt_1", "type": 5}'),
        *(b'{"id": "evt_1", "type": ""}', b'{"id": "evt_1", "type": "a\\u0000"}', b'{"id": "evt_1", "type": "a\\n"}'),
        b'{"id": "evt_' + b"1" * 201 + b'", "type": "a"}',
        b'{"id": "evt_1", "type": "a", "x": ' + b"[" * 100_000,
    ],
)
def test_what_is_none(body: bytes) -> None:
    assert id_of(body) is None
