"""The front says at its start whether something can be bought, and whether Stripe is heard."""

from __future__ import annotations

import pytest

from api.settings import Settings
from api.wiring.webhooks import buying

HEARD = "; nothing that Stripe tells is heard: STRIPE_WEBHOOK_SECRET is not set"
NEEDED = {
    "database_url": "postgresql://h/d",
    "amqp_url": "amqp://h",
    "mana_secret_key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}


@pytest.mark.parametrize(
    ("key", "secret", "told"),
    [
        (True, True, "buying is on"),
        (True, False, f"buying is on{HEARD}"),
        (False, True, "buying is off: STRIPE_SECRET_KEY is not set"),
        (False, False, f"buying is off: STRIPE_SECRET_KEY is not set{HEARD}"),
    ],
)
def test_it_is_one_line_and_names_what_is_missing(key: bool, secret: bool, told: str) -> None:
    given = {
        **({"stripe_secret_key": "sk_test_12345678"} if key else {}),
        **({"stripe_webhook_secret": "whsec_12345678"} if secret else {}),
    }
    assert buying(Settings.model_validate({**NEEDED, **given})) == told
