"""What an authenticator shows (RFC 6238): `python3 examples/totp.py SECRET [STEPS]`, so many steps of 30 s from now."""

import base64
import hmac
import sys
import time


def code(secret: str, step: int) -> str:
    """The six digits of a step."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: python3 examples/totp.py SECRET [STEPS]")
    secret, steps = [*sys.argv[1:], "0"][:2]
    print(code(secret, int(time.time()) // 30 + int(steps)))
