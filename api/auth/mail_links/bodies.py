"""Bodies of the routes of addresses and their links."""

from __future__ import annotations

from pydantic import BaseModel

from api.auth.bodies import EmailField, LoginBody


class _Body(BaseModel):
    model_config = LoginBody.model_config


class AddressBody(_Body):
    """Body of ``POST /auth/email/verify/resend`` and ``/auth/email/change``."""

    email: EmailField


class LinkBody(_Body):
    """Body of ``POST /auth/email/verify`` and ``/auth/email/change/confirm``: the token of a link in a mail."""

    token: str
