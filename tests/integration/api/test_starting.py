"""The processes start with good settings only, and say in a sentence what is wrong with others."""

from __future__ import annotations

import asyncio
import base64
import os
import socket

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ops import ports
from ops.instance import Instance
from ops.programs import ProcessSettings, python, run_environment
from tests.integration.api.process import PARTITIONS


async def _run(module: str, environment: dict[str, str]) -> tuple[int | None, str]:
    child = await asyncio.create_subprocess_exec(
        *python(module),
        env=run_environment({"MANA_ENVIRONMENT": "development", **environment}),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        _, said = await child.communicate()
    return child.returncode, said.decode()


@pytest.mark.parametrize("module", ["api", "api.relay"])
async def test_nothing_set(module: str) -> None:
    status, said = await _run(module, {})
    assert status == 2
    assert "DATABASE_URL is not set." in said.splitlines()
    assert "AMQP_URL is not set." in said.splitlines()
    assert "Traceback" not in said


async def test_a_key_that_is_none(servers: Instance) -> None:
    good = ProcessSettings(servers.addresses, PARTITIONS).api()
    status, said = await _run("api", {**good, "JWT_PRIVATE_KEY": "nonsense"})
    assert (status, said.count("\n")) == (2, 1)
    assert said.startswith("JWT_PRIVATE_KEY is no unencrypted PEM")


async def test_a_key_for_another_algorithm_than_the_one_asked_for(servers: Instance) -> None:
    good = ProcessSettings(servers.addresses, PARTITIONS).api()
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    status, said = await _run("api", {**good, "JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": pem})
    assert (status, said) == (2, "JWT_ALGORITHM is RS256, and JWT_PRIVATE_KEY is a key for EdDSA.\n")


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "999.1.1.1"])
@pytest.mark.parametrize("module", ["api", "api.relay"])
async def test_a_host_that_is_not_this_machines(servers: Instance, module: str, host: str) -> None:
    own = ProcessSettings(servers.addresses, PARTITIONS)
    good = own.api() if module == "api" else own.relay()
    status, said = await _run(module, {**good, "MANA_BIND_HOST": host})
    assert (status, said) == (2, "MANA_BIND_HOST is no address of this machine, such as 127.0.0.1 or 0.0.0.0.\n")


async def test_a_port_that_is_taken(servers: Instance) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        good = ProcessSettings(servers.addresses, PARTITIONS).api()
        status, said = await _run("api", {**good, "PORT": port})
    assert (status, said) == (2, f"PORT names port {port}, which another program listens on.\n")


@pytest.mark.checklist(62)
@pytest.mark.parametrize("module", ["api", "api.operators.rotate_keys"])
async def test_another_secret_than_the_one_that_sealed_the_keys(
    servers: Instance, http: httpx.AsyncClient, module: str
) -> None:
    """Starting with it would fail every sign-in later: so it fails at once."""
    assert (await http.get("/.well-known/jwks.json")).json()["keys"]
    other = base64.b64encode(os.urandom(32)).decode()
    good = ProcessSettings(servers.addresses, PARTITIONS).api()
    status, said = await _run(module, {**good, "MANA_SECRET_KEY": other, "PORT": str(ports.choose(None, ()))})
    assert (status, said) == (2, "MANA_SECRET_KEY is not the key that the signing keys were sealed with.\n")


@pytest.mark.checklist(62)
async def test_dangerous_settings_in_production(servers: Instance) -> None:
    good = ProcessSettings(servers.addresses, PARTITIONS).api()
    dangerous = {"TRUSTED_PROXIES": "0.0.0.0/0", "RATE_LIMIT_LOGIN": "1000000/1s"}
    status, said = await _run("api", {**good, "MANA_ENVIRONMENT": "production", **dangerous})
    assert status == 2
    assert [sentence.split()[0] for sentence in said.splitlines()] == [
        "PUBLIC_URL",
        "TRUSTED_PROXIES",
        "RATE_LIMIT_LOGIN",
    ]
