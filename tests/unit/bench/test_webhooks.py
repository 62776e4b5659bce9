"""What `bench webhooks` sends, and how it reads where the time went."""

from __future__ import annotations

import math
from itertools import islice

import pytest
from stripe import WebhookSignature

from bench.course import percentile
from bench.errors import BenchError
from bench.steps import Histogram
from bench.stripe_events import Deliveries

SECRET = "whsec_of_the_bench"
TEMPLATES = ['{\n  "id": "evt_one",\n  "type": "a",\n  "x": "ü"\n}', '{"type": "b", "id": "evt_two"}']


def test_each_delivery_is_an_event_of_its_own_rightly_signed() -> None:
    deliveries = Deliveries(TEMPLATES, SECRET)
    taken = [whole.partition(b"\r\n\r\n") for whole in islice(deliveries.requests(), 4)]
    for head, _, body in taken:
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        assert int(fields["Content-Length"]) == len(body)
        assert WebhookSignature.verify_header(body, fields["Stripe-Signature"], SECRET, tolerance=60)
    assert len(deliveries.ids) == len({body for _, _, body in taken}) == 4
    assert all(any(event_id.encode() in body for _, _, body in taken) for event_id in deliveries.ids)
    assert [b'"x": "\xc3\xbc"' in body for _, _, body in taken] == [True, False] * 2


def test_a_median_between_two_bounds() -> None:
    """Of what came in between, by the bounds' running totals."""
    before = Histogram({0.001: 100, 0.002: 100, math.inf: 100})
    after = Histogram({0.001: 110, 0.002: 140, math.inf: 140})
    assert after.since(before).median() == pytest.approx(0.001 + 0.001 * 10 / 30)
    assert after.median() == pytest.approx(0.001 * 70 / 110)
    assert before.plus(after.since(before)) == after
    assert Histogram({}).plus(after) == after
    assert Histogram({0.001: 1, math.inf: 10}).median() == 0.001
    with pytest.raises(BenchError):
        before.since(before).median()


def test_a_percentile_is_one_of_the_figures() -> None:
    figures = [float(number) for number in range(1000, 0, -1)]
    assert [percentile(figures, share) for share in (0.0, 0.5, 0.999, 1.0)] == [1.0, 500.0, 999.0, 1000.0]
