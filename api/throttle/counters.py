"""What counters are called, where whoever can read them must not learn whose they are."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from api.throttle.limiter import Charge

_PREFIX: Final = "mana:limit"
_HASH_BYTES: Final = 16


class CounterNames:
    """Names by keyed hash of the subject: addresses and e-mail addresses are few enough to be tried out else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, charge: Charge) -> str:
        """The counter's name; the same subject has another hash in each class."""
        name = charge.limit.name
        digest = hmac.digest(self._key, name.encode() + b"\0" + charge.subject, hashlib.sha256)
        return f"{_PREFIX}:{name}:{base64.urlsafe_b64encode(digest[:_HASH_BYTES]).rstrip(b'=').decode()}"
