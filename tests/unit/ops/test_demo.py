"""Where the demo stops: nothing is paid anywhere but at the stand-in, and what is not as it should be is said."""

from __future__ import annotations

import pytest

from ops.demo import buying
from ops.errors import LauncherError

STAND_IN = "http://127.0.0.1:12345"


@pytest.mark.parametrize("checkout", ["https://checkout.stripe.com/c/pay/cs_1", f"{STAND_IN}6/c/pay/cs_1"])
async def test_it_pays_at_the_stand_in_alone(checkout: str) -> None:
    with pytest.raises(LauncherError, match="alone"):
        await buying.pay(checkout, STAND_IN)


async def test_a_stand_in_that_is_away_is_a_sentence() -> None:
    with pytest.raises(LauncherError, match=r"could not reach .*/c/pay/cs_1 .*: see \./mana logs stripe"):
        await buying.pay("http://127.0.0.1:1/c/pay/cs_1", "http://127.0.0.1:1")
