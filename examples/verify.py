"""Verifies an access token as another service would: `python examples/verify.py TOKEN`. Needs PyJWT[crypto]."""

import json
import os
import sys

import jwt

keys = jwt.PyJWKClient(os.environ["MANA_API_URL"] + "/.well-known/jwks.json")  # keeps the set for five minutes


def claims(token: str) -> dict[str, object]:
    """What the token says. Raises jwt.InvalidTokenError where it is not good."""
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":  # the signature, which covers it, is verified below
        raise jwt.InvalidTokenError("it is no access token")
    return jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token),
        algorithms=["EdDSA"],
        issuer="mana",
        audience="mana",
        options={"require": ["sub", "sid", "role", "exp"]},
    )


print(json.dumps(claims(sys.argv[1])))
