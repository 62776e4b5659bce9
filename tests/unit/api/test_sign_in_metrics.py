"""Each sign-in is counted once, by what it came to."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from api.auth.metrics import SignInMetrics
from api.auth.two_factor.challenge import Challenge
from api.errors import Unavailable, refuse


async def _answer(outcome: object) -> object:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        ("a grant", "succeeded"),
        (Challenge.new(), "challenged"),
        (refuse("unauthorized", "no"), "unauthorized"),
        (refuse("rate_limited", "later"), "rate_limited"),
        (Unavailable("passwords", "full"), "unavailable"),
    ],
    ids=["succeeded", "challenged", "unauthorized", "rate_limited", "unavailable"],
)
async def test_what_an_attempt_comes_to_is_counted_and_handed_on(outcome: object, result: str) -> None:
    registry = CollectorRegistry()
    attempt = SignInMetrics(registry).counted("password", _answer(outcome))
    if isinstance(outcome, Exception):
        with pytest.raises(type(outcome)):
            await attempt
    else:
        assert await attempt is outcome
    counted = {
        sample.labels["result"]
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "mana_sign_ins_total" and sample.value
    }
    assert counted == {result}
