"""Signing keys: one algorithm each, made here or imported as PEM, published as JWK without their private half."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

Algorithm = Literal["EdDSA", "RS256"]
PrivateKey: TypeAlias = Ed25519PrivateKey | RSAPrivateKey
PublicKey: TypeAlias = Ed25519PublicKey | RSAPublicKey

_RSA_BITS_MIN = 2048
_RSA_EXPONENT = 65_537
_JWK_KINDS = {"OKP": OKPAlgorithm, "RSA": RSAAlgorithm}
_THUMBPRINT_MEMBERS = {"OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}


@dataclass(frozen=True)
class VerifyingKey:
    """A public half; its ``kid`` is its thumbprint, so the same key has the same name wherever it is imported."""

    public: PublicKey
    algorithm: Algorithm
    kid: str

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half as it is published."""
        return {**_public_jwk(self.public), "kid": self.kid, "alg": self.algorithm, "use": "sig"}


@dataclass(frozen=True)
class SigningKey(VerifyingKey):
    """A key pair."""

    private: PrivateKey

    @property
    def pkcs8(self) -> bytes:
        """The private half, unencrypted: to be sealed before it goes anywhere."""
        return self.private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def generate(algorithm: Algorithm = "EdDSA") -> SigningKey:
    """A new key: Ed25519, or RSA of 2048 bits, which takes some tenths of a second."""
    if algorithm == "RS256":
        return _of(generate_private_key(_RSA_EXPONENT, _RSA_BITS_MIN))
    return _of(Ed25519PrivateKey.generate())


def from_pkcs8(der: bytes) -> SigningKey:
    """The key whose private half this is, as one of our seals held it. Raises ``ValueError``."""
    # The seal vouches for it: that an RSA key's primes are prime is not shown again, which takes tenths of a second.
    return _of(serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True))


def from_jwk(jwk: Mapping[str, Any]) -> VerifyingKey:
    """The key whose published half this is. Raises ``ValueError``."""
    try:
        public = _JWK_KINDS[jwk["kty"]].from_jwk(dict(jwk))
    except (KeyError, InvalidKeyError) as error:
        raise ValueError("is no JWK of an Ed25519 or RSA key") from error
    if isinstance(public, Ed25519PublicKey):
        return VerifyingKey(public, "EdDSA", thumbprint(public))
    if isinstance(public, RSAPublicKey):
        return VerifyingKey(public, "RS256", thumbprint(public))
    raise ValueError("is no public half of an Ed25519 or RSA key")


def from_pem(private_pem: str, public_pem: str | None) -> SigningKey:
    """Imports a key. Raises ``ValueError`` naming the setting that is wrong."""
    try:
        key = _of(serialization.load_pem_private_key(private_pem.encode(), password=None))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "JWT_PRIVATE_KEY is no unencrypted PEM of an Ed25519 or RSA key (2048 bits or more)"
        ) from error
    if public_pem is not None and _spki_of_pem(public_pem) != _spki(key.public):
        raise ValueError("JWT_PUBLIC_KEY is not the public half of JWT_PRIVATE_KEY")
    return key


def _of(private: object) -> SigningKey:
    if isinstance(private, Ed25519PrivateKey):
        public = private.public_key()
        return SigningKey(public, "EdDSA", thumbprint(public), private)
    if isinstance(private, RSAPrivateKey) and private.key_size >= _RSA_BITS_MIN:
        rsa_public = private.public_key()
        return SigningKey(rsa_public, "RS256", thumbprint(rsa_public), private)
    raise ValueError("is neither an Ed25519 key nor an RSA key of 2048 bits or more")


def thumbprint(public: PublicKey) -> str:
    """The key's name by RFC 7638."""
    jwk = _public_jwk(public)
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def _public_jwk(public: PublicKey) -> dict[str, Any]:
    if isinstance(public, Ed25519PublicKey):
        jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
        return {name: jwk[name] for name in ("kty", "crv", "x")}
    jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    return {name: jwk[name] for name in ("kty", "n", "e")}


def _spki(public: PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _spki_of_pem(pem: str) -> bytes:
    try:
        loaded = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("JWT_PUBLIC_KEY is no PEM of a public key") from error
    return loaded.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
