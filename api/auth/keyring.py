"""The keys that this process signs and verifies with; a name it does not know makes it look again, rarely."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from api.auth.keys import SigningKey, VerifyingKey
from api.auth.keystore import KeyStore, StoredKey
from api.clock import Clock
from api.errors import Unavailable

LOOK_AGAIN_SECONDS: Final = 5.0
"""At most one look at the database in this time for names that nobody knows."""
REFRESH_SECONDS: Final = 60.0
"""So old may this process's idea of the newest key be."""


class Keyring:
    """Known keys by name, loaded when first needed. Methods raise ``Unavailable`` until that has worked once."""

    def __init__(self, store: KeyStore, imported: SigningKey | None, clock: Clock) -> None:
        self._store = store
        self._imported = imported
        self._clock = clock
        self._keys: dict[str, StoredKey] = {}
        self._looked_at = float("-inf")
        self._loaded_at = float("-inf")
        self._established = False
        self._looking = asyncio.Lock()

    async def current(self) -> SigningKey:
        """The key to sign with: the newest that is in force and not retired."""
        if self._clock() - self._looked_at > REFRESH_SECONDS:
            await self._look()
        for stored in self._keys.values():
            if stored.signing is not None:
                return stored.signing
        raise Unavailable("keys", "there is no key to sign with")

    async def find(self, kid: str) -> VerifyingKey | None:
        """The key of that name, or ``None``, also where it verifies no more."""
        if kid not in self._keys and self._clock() - self._looked_at > LOOK_AGAIN_SECONDS:
            await self._look()
        stored = self._keys.get(kid)
        return stored.key if stored is not None and self._verifies(stored) else None

    async def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public halves, as they are published."""
        if self._clock() - self._looked_at > REFRESH_SECONDS:
            await self._look()
        return {"keys": [stored.key.jwk for stored in self._keys.values() if self._verifies(stored)]}

    def _verifies(self, stored: StoredKey) -> bool:
        return stored.seconds_left is None or self._clock() < self._loaded_at + stored.seconds_left

    async def _look(self) -> None:
        """Loads the keys, once for all who ask meanwhile; while the database is away the keys that are known stay."""
        before = self._looked_at
        async with self._looking:
            if self._looked_at != before:
                return
            try:
                await self._load()
            except Unavailable:
                if not self._keys:
                    raise
            self._looked_at = self._clock()

    async def _load(self) -> None:
        if not self._established:
            await self._store.establish(self._imported)
            self._established = True
        before = self._clock()
        self._keys = {stored.key.kid: stored for stored in await self._store.load()}
        self._loaded_at = before
