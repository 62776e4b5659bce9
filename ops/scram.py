"""PostgreSQL's record of a password (RFC 5803), computed here: no statement holds a password, for servers log them.

PgBouncer is told the same record, and logs in at the server with what its clients prove to it. For that both must hold
the very same one: so its salt is made from role and password.
"""

import base64
import hashlib
import hmac

_ROUNDS = 4096
_SALT_BYTES = 16


def record(role: str, password: str) -> str:
    """The record of an ASCII password of full strength, always the same one."""
    salt = hmac.digest(password.encode("ascii"), f"mana salt of {role}".encode(), "sha256")[:_SALT_BYTES]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    told = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ROUNDS}:{told[0]}${told[1]}:{told[2]}"
