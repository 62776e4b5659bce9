"""The keys that this process signs and verifies with; a name it does not know makes it look again, rarely.

Between looks it counts on by its own clock from what the database's said, so that all fronts begin to sign with a new
key together.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog

from api.auth import key_schedule
from api.auth.key_schedule import KeyRules
from api.auth.keys import SigningKey, VerifyingKey
from api.auth.keystore import KeyStore, StoredKey, StoredKeys
from api.clock import Clock
from api.errors import Unavailable

LOOK_AGAIN_SECONDS: Final = 5.0
"""At most one look at the database in this time for names that nobody knows."""
REFRESH_SECONDS: Final = 60.0
"""So old may this process's idea of the keys be."""
_NO_KEYS: Final = StoredKeys(0.0, (), ())

_log = structlog.get_logger(__name__)


class Keyring:
    """Known keys by name, loaded when first needed; what is due with them is done with the look that finds it due.

    Methods raise ``Unavailable`` until a look has worked once; afterwards the known keys outlive an outage.
    """

    def __init__(
        self, store: KeyStore, imported: SigningKey | None, clock: Clock, rules: KeyRules | None = None
    ) -> None:
        self._store = store
        self._imported = imported
        self._clock = clock
        self._rules = rules or KeyRules()
        self._stored = _NO_KEYS
        self._by_kid: dict[str, StoredKey] = {}
        self._looked_at = self._tried_at = self._asked_at = float("-inf")
        self._looking = asyncio.Lock()
        self.failures = 0
        """How many looks have failed."""

    @property
    def age_seconds(self) -> float:
        """How long ago the last look was that worked; infinite before the first."""
        return self._clock() - self._looked_at

    async def current(self) -> SigningKey:
        """The key to sign with."""
        await self._keep_fresh()
        times = key_schedule.signer(self._stored.times, self._now(), self._rules)
        signing = None if times is None else self._by_kid[times.kid].signing
        if signing is None:
            raise Unavailable("keys", "there is no key to sign with")
        return signing

    async def find(self, kid: str) -> VerifyingKey | None:
        """The key of that name, or ``None``, also where it verifies no more."""
        if not self._by_kid:
            await self._keep_fresh()
        elif kid not in self._by_kid and self._clock() - self._asked_at > LOOK_AGAIN_SECONDS:
            self._asked_at = self._clock()
            await self._try_to_look()
        return self._by_kid[kid].key if self.verifies(kid) else None

    def verifies(self, kid: str) -> bool:
        """Whether tokens of that key are good, as far as this process knows by now."""
        stored = self._by_kid.get(kid)
        return stored is not None and key_schedule.verifies(stored.times, self._now())

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public halves, as they are published: also of those that sign later, or have signed."""
        await self._keep_fresh()
        return {"keys": [stored.key.jwk for stored in self._stored.keys if self.verifies(stored.times.kid)]}

    async def look(self) -> None:
        """Loads the keys, and does what is due. Raises ``Unavailable`` where that fails, and keeps those it knows."""
        async with self._looking:
            await self._look()

    async def _keep_fresh(self) -> None:
        """During an outage those who ask do not all wait for it."""
        now = self._clock()
        stale = now - self._looked_at > REFRESH_SECONDS and now - self._tried_at > LOOK_AGAIN_SECONDS
        if stale or not self._by_kid:
            await self._try_to_look()

    async def _try_to_look(self) -> None:
        """Looks once for all who ask meanwhile; while the database is away the keys that are known stay."""
        before = self.failures, self._looked_at
        async with self._looking:
            if (self.failures, self._looked_at) == before:
                try:
                    await self._look()
                except Unavailable as error:
                    _log.warning("the signing keys cannot be looked at", reason=str(error))
        if not self._by_kid:
            raise Unavailable("keys", "the signing keys have not been loaded yet")

    async def _look(self) -> None:
        self._tried_at = before = self._clock()
        try:
            found = await self._store.load()
            if self._is_work_for(found):
                found = await self._store.tend(self._rules, self._imported)
        except Unavailable:
            self.failures += 1
            raise
        self._stored, self._looked_at = found, before
        self._by_kid = {stored.times.kid: stored for stored in found.keys}

    def _is_work_for(self, found: StoredKeys) -> bool:
        imported = None if self._imported is None else self._imported.kid
        return bool(key_schedule.work(found.times, found.at, self._rules, imported))

    def _now(self) -> float:
        """The database's time, counted on by our clock since the last look."""
        return self._stored.at + self._clock() - self._looked_at
