"""Bodies of the routes of addresses and their links."""

from __future__ import annotations

from api.auth.bodies import Body, EmailField


class AddressBody(Body):
    """Body of ``POST /auth/email/verify/resend`` and ``/auth/email/change``."""

    email: EmailField


class LinkBody(Body):
    """Body of ``POST /auth/email/verify`` and ``/auth/email/change/confirm``: the token of a link in a mail."""

    token: str
