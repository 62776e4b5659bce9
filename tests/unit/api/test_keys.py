"""Signing keys: named by thumbprint, imported from PEM, one algorithm each."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from api.auth import keys
from api.auth.sealing import Unreadable, seal, unseal

# RFC 8037, appendix A.3: the thumbprint of its example key.
_RFC_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
_RFC_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def _pem(private: PrivateKeyTypes, encryption: KeySerializationEncryption | None = None) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def _public_pem(key: keys.SigningKey) -> str:
    return key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_the_name_is_the_thumbprint_of_rfc_7638() -> None:
    assert keys.thumbprint(Ed25519PrivateKey.from_private_bytes(_RFC_SEED).public_key()) == _RFC_THUMBPRINT


@pytest.mark.parametrize(
    "private", [Ed25519PrivateKey.generate(), generate_private_key(65_537, 2_048)], ids=["Ed25519", "RSA"]
)
def test_import_and_storage_keep_the_key(private: PrivateKeyTypes) -> None:
    imported = keys.from_pem(_pem(private), None)
    assert keys.from_pem(_pem(private), _public_pem(imported)).kid == imported.kid
    assert keys.from_pkcs8(imported.pkcs8).kid == imported.kid
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(imported.jwk)


@pytest.mark.parametrize(
    "private", [Ed25519PrivateKey.generate(), generate_private_key(65_537, 2_048)], ids=["Ed25519", "RSA"]
)
def test_the_published_half_verifies(private: PrivateKeyTypes) -> None:
    imported = keys.from_pem(_pem(private), None)
    published = keys.from_jwk(imported.jwk)
    assert (published.kid, published.algorithm, published.jwk) == (imported.kid, imported.algorithm, imported.jwk)


@pytest.mark.parametrize("jwk", [{}, {"kty": "oct", "k": "AA"}, {"kty": "OKP", "crv": "Ed25519", "x": "AA"}])
def test_published_halves_that_are_none(jwk: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="JWK"):
        keys.from_jwk(jwk)


@pytest.mark.parametrize(
    "pem",
    [
        "nonsense",
        "",
        _pem(generate_private_key(65_537, 1_024)),
        _pem(ec.generate_private_key(ec.SECP256R1())),
        _pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x")),
    ],
    ids=["text", "empty", "short RSA", "EC", "encrypted"],
)
def test_keys_that_are_not_taken(pem: str) -> None:
    with pytest.raises(ValueError, match="JWT_PRIVATE_KEY"):
        keys.from_pem(pem, None)


def test_halves_that_do_not_belong_together() -> None:
    with pytest.raises(ValueError, match="JWT_PUBLIC_KEY"):
        keys.from_pem(_pem(Ed25519PrivateKey.generate()), _public_pem(keys.generate()))
    with pytest.raises(ValueError, match="JWT_PUBLIC_KEY"):
        keys.from_pem(_pem(Ed25519PrivateKey.generate()), "nonsense")


def test_a_seal_belongs_to_what_it_was_made_for() -> None:
    key = bytes(range(32))
    sealed = seal(key, b"plain", b"kid-1")
    assert unseal(key, sealed, b"kid-1") == b"plain"
    for other_key, belongs_to in ((key, b"kid-2"), (bytes(32), b"kid-1")):
        with pytest.raises(Unreadable):
            unseal(other_key, sealed, belongs_to)
