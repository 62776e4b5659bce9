"""Certificates of a test's own making."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ops.identity import Identity, give_file

_NEVER_MIND = timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """Signs certificates; its own one is in ``file``."""

    file: Path
    _key: ec.EllipticCurvePrivateKey
    _certificate: x509.Certificate

    def certified(self, user: str) -> tuple[Path, Path]:
        """Certificate and key for servers on 127.0.0.1, as files of that user's."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        built = _certificate("a server", self._certificate.subject, key).add_extension(names, critical=False)
        built = built.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        folder, identity = self.file.parent, Identity.of_server(user)
        give_file(folder / f"{user}.pem", _pem(built.sign(self._key, hashes.SHA256())), identity)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        give_file(folder / f"{user}.key", pem.decode(), identity)
        return folder / f"{user}.pem", folder / f"{user}.key"


def authority(folder: Path) -> Authority:
    """A new one."""
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(folder.name)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    built = _certificate(folder.name, subject, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    built = built.add_extension(usage, critical=True)
    built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    certificate = built.sign(key, hashes.SHA256())
    (folder / "ca.pem").write_text(_pem(certificate))
    (folder / "ca.pem").chmod(0o644)
    return Authority(folder / "ca.pem", key, certificate)


def _certificate(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _NEVER_MIND)
        .not_valid_after(now + _NEVER_MIND)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
