"""docker-compose.yml's servers with a certificate of a test's authority."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ops.program import Program
from tests.integration.ops.certificates import Authority
from tests.integration.ops.composing import Composed
from tests.integration.running import served

TLS_PORT = 5671
TLS_MANAGEMENT = 15671


@asynccontextmanager
async def encrypted_broker(composed: Composed, trusted: Authority) -> AsyncGenerator[Program]:
    """RabbitMQ, which speaks TLS too, at its management API as well."""
    certificate, key = trusted.certified("rabbitmq")
    files = {"cacertfile": trusted.file, "certfile": certificate, "keyfile": key}
    secured = {
        "listeners.ssl.1": f"127.0.0.1:{composed.port('rabbitmq', TLS_PORT)}",
        "management.ssl.ip": "127.0.0.1",
        "management.ssl.port": composed.port("rabbitmq", TLS_MANAGEMENT),
        **{f"{part}.{name}": file for part in ("ssl_options", "management.ssl") for name, file in files.items()},
    }
    epmd, node = await composed.rabbitmq("".join(f"{name} = {value}\n" for name, value in secured.items()))
    async with served(epmd, in_order=False), served(node, in_order=False):
        yield node


@asynccontextmanager
async def encrypted_database(composed: Composed, trusted: Authority) -> AsyncGenerator[Program]:
    """PostgreSQL, which speaks TLS too."""
    certificate, key = trusted.certified("postgres")
    program = await composed.postgres()
    program.argv.extend(["-c", "ssl=on", "-c", f"ssl_cert_file={certificate}", "-c", f"ssl_key_file={key}"])
    async with served(program):
        yield program


@asynccontextmanager
async def encrypted_redis(composed: Composed, trusted: Authority) -> AsyncGenerator[str]:
    """Redis; its address. It has no port in the clear."""
    certificate, key = trusted.certified("redis")
    port, program = composed.port("redis", 0), await composed.redis()
    told = ["--tls-port", str(port), "--port", "0", "--tls-auth-clients", "no"]
    told += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(trusted.file)]
    url = f"rediss://:{composed.secrets.redis}@127.0.0.1:{port}/0"

    async def answers() -> bool:
        async with Redis.from_url(f"{url}?ssl_ca_certs={trusted.file}") as redis:
            try:
                return bool(await redis.ping())
            except RedisError:
                return False

    async with served(replace(program, argv=[*program.argv, *told], probe=answers)):
        yield url
