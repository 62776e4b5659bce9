"""A local stand-in for Stripe: its API, its checkout page, its signed webhooks. For development and tests only.

``python -m ops.fakes.stripe --port N`` serves the API below ``/v1``, the page that buyers click through below
``/c/pay`` and switches below ``/_test`` (see ``control``). Everything is in memory and gone with the process.
Parameters that it does not know are refused, as Stripe refuses them: what it cannot do, it says.
"""
