"""`./mana top` trusts who vouches for the broker by its AMQP address, and nobody else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from ops.top.asking import Asker, Broker
from ops.top.sources import Sources
from tests.integration.ops.certificates import Authority, authority

_ANSWERS = {
    "/api/overview": {"rabbitmq_version": "3.10.8", "object_totals": {"connections": 3}},
    "/api/nodes": [{"name": "rabbit@here", "mem_alarm": False, "disk_free_alarm": False}],
    "/api/queues/%2F": [{"name": "credits.dead", "messages_ready": 1}],
}


async def test_the_broker_is_asked_with_the_trust_of_its_amqp_address(tmp_path: Path) -> None:
    trusted, stranger = authority(tmp_path / "trusted"), authority(tmp_path / "stranger")
    asker = Asker()
    async with _management(trusted) as url:
        try:
            told = [(await asker.ask(_sources(url, one.file))).broker for one in (trusted, stranger)]
        finally:
            await asker.close()
    assert isinstance(told[0], Broker)
    assert told[0].version == "3.10.8"
    assert told[1] == "cannot be reached"


def _sources(management: str, cafile: Path) -> Sources:
    amqp = f"amqps://guest:guest@127.0.0.1:5671/?cafile={cafile}"
    return Sources("here", {}, management=management, amqp=amqp, database=None, processes=None)


@asynccontextmanager
async def _management(vouched: Authority) -> AsyncGenerator[str]:
    """What a broker's management API says over TLS, one request for each connection."""
    certificate, key = vouched.certified("root")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = msgspec.json.encode(_ANSWERS[head.split()[1].partition("?")[0]])
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
