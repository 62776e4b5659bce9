"""What counters are called, where whoever can read them must not learn whose they are."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import Final

from api.throttle.classes import Backoff, LimitClass
from api.throttle.limiter import Charge

_PREFIX: Final = "mana:limit"
_HASH_BYTES: Final = 16


class CounterNames:
    """Names by keyed hash of the subject: addresses and e-mail addresses are few enough to be tried out else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, charge: Charge) -> str:
        """The counter's name; the same subject has another hash in each class.

        It depends on the class's figures too: what was counted by one setting means something else by another, so a
        front that is started with other figures begins anew.
        """
        name = charge.limit.name
        digest = hmac.digest(self._key, _kind(charge.limit) + b"\0" + charge.subject, hashlib.sha256)
        return f"{_PREFIX}:{name}:{base64.urlsafe_b64encode(digest[:_HASH_BYTES]).rstrip(b'=').decode()}"


@lru_cache(64)
def _kind(limit: LimitClass | Backoff) -> bytes:
    return repr(limit).encode()
