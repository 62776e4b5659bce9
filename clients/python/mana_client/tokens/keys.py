"""The issuer's public keys, fetched seldom: at most once in a while, by one for all who wait, whatever tokens name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, cast

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import JWKDict

from mana_client.errors import KeysUnavailable

FETCH_SECONDS_MAX: Final = 5.0
_AFTER_FAILURE_SECONDS: Final = 1.0
_RSA_BITS_MIN: Final = 2048
_ALGORITHMS: Final[Mapping[object, str]] = {"OKP": "EdDSA", "RSA": "RS256"}

_log: Final = logging.getLogger("mana_client.tokens")


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: how long keys are taken for current, how long where newer ones cannot be had, and how long after a
    fetch an unknown key is not looked for again."""

    fresh: float
    stale: float
    cooldown: float


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, with the one algorithm that it is for: that of its kind, whatever a token says."""

    public: Ed25519PublicKey | RSAPublicKey
    algorithm: str


class KeySet:
    """The keys at an address. Any number of tasks may look for one together."""

    def __init__(self, url: str, patience: Patience, http: httpx.AsyncClient | None) -> None:
        self._url = url
        self._patience = patience
        self._http = http
        self._keys: Mapping[str, VerifyingKey] = {}
        self._fetched_at: float | None = None
        self._next_fetch = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> VerifyingKey | None:
        """The key of this name. Raises ``KeysUnavailable`` where no keys could be had, or none for too long."""
        if self._age() > self._patience.fresh or kid not in self._keys:
            await self._refresh()
        if self._age() > self._patience.stale:
            raise KeysUnavailable(f"the keys at {self._url} could not be had")
        return self._keys.get(kid)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else monotonic() - self._fetched_at

    async def _refresh(self) -> None:
        """Returns once the fetch that is under way, or a new one where it is time for one, has ended, well or not."""
        if self._fetching is None:
            if monotonic() < self._next_fetch:
                return
            self._next_fetch = monotonic() + self._patience.cooldown
            self._fetching = asyncio.create_task(self._fetch(), name="mana-client keys")
            self._fetching.add_done_callback(self._ended)
        await asyncio.shield(self._fetching)

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self) -> None:
        try:
            self._keys = _read(await self._get())
            self._fetched_at = monotonic()
        except (httpx.HTTPError, ValueError) as error:
            self._next_fetch = monotonic() + min(_AFTER_FAILURE_SECONDS, self._patience.cooldown)
            _log.warning("the keys at %s could not be had: %r", self._url, error)

    async def _get(self) -> object:
        if self._http is not None:
            return (await self._http.get(self._url, timeout=FETCH_SECONDS_MAX)).raise_for_status().json()
        async with httpx.AsyncClient(timeout=FETCH_SECONDS_MAX) as http:
            return (await http.get(self._url)).raise_for_status().json()


def _read(answer: object) -> Mapping[str, VerifyingKey]:
    """The keys of a JWK set that are of a kind that we know; the others are passed over. Raises ``ValueError``."""
    jwks = cast("dict[str, Any]", answer).get("keys") if isinstance(answer, dict) else None
    found: dict[str, VerifyingKey] = {}
    for jwk in cast("list[Any]", jwks) if isinstance(jwks, list) else ():
        if isinstance(jwk, dict) and (named := _read_key(cast("JWKDict", jwk))) is not None:
            found[named[0]] = named[1]
    if not found:
        raise ValueError("this is no JWK set that holds a key which signs")
    return found


def _read_key(jwk: JWKDict) -> tuple[str, VerifyingKey] | None:
    kid, algorithm = jwk.get("kid"), _ALGORITHMS.get(jwk.get("kty"))
    if not isinstance(kid, str) or algorithm is None or jwk.get("use", "sig") != "sig":
        return None
    try:
        public = jwt.PyJWK(jwk, algorithm).key
    except (jwt.PyJWTError, ValueError) as error:
        _log.warning("a key in the JWK set cannot be read: %r", error)
        return None
    if isinstance(public, Ed25519PublicKey) or (isinstance(public, RSAPublicKey) and public.key_size >= _RSA_BITS_MIN):
        return kid, VerifyingKey(public, algorithm)
    return None
