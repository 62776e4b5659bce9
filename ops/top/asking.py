"""Asks everybody at once; who does not answer in time is said not to, and holds up nobody."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import asyncpg
import httpx
import msgspec

from ops import urls
from ops.management import trusted
from ops.status import ProcessStatus
from ops.top import figures
from ops.top.figures import Figures
from ops.top.sources import Sources

PATIENCE_SECONDS: Final = 2.0
_SESSIONS_EVERY_SECONDS: Final = 15.0
"""They are counted one by one: of millions that takes a moment, so not for each look."""

_PARTITIONS: Final = """
SELECT kept.partition, kept.position - kept.confirmed AS unconfirmed, owner.application_name AS owner
FROM credits.partitions AS kept
LEFT JOIN pg_locks AS held
    ON held.locktype = 'advisory' AND held.granted AND held.objsubid = 2
    AND held.classid::bigint = 1835101793  -- "mana": the first half of the leases' keys
    AND held.objid::bigint = kept.partition
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
LEFT JOIN pg_stat_activity AS owner ON owner.pid = held.pid
ORDER BY 1
"""
_SERVER: Final = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
    current_setting('max_connections')::integer AS connections_max,
    pg_database_size(current_database()) AS bytes
"""
_SESSIONS: Final = "SELECT count(*) FROM auth.sessions WHERE ended_at IS NULL AND expires_at > now()"


class Queue(msgspec.Struct, frozen=True):
    """Messages that wait, and those that a consumer has and has not acknowledged."""

    ready: int
    unacknowledged: int


class Broker(msgspec.Struct, frozen=True):
    """What the management API tells: it counts every five seconds. `alarms`: of which resource there is too little."""

    version: str
    connections: int
    alarms: Sequence[str]
    queues: Mapping[str, Queue]


class Partition(msgspec.Struct, frozen=True):
    """`unconfirmed`: committed positions without a confirmed event, by the mark that is written each second."""

    partition: int
    unconfirmed: int
    owner: str | None


class Database(msgspec.Struct, frozen=True):
    """What the read-only role sees."""

    connections: int
    connections_max: int
    bytes: int
    partitions: Sequence[Partition]
    sessions: int | None


class Answers(msgspec.Struct, frozen=True):
    """Everybody's answer, or in words why there is none; `at` on a clock that never goes back, in seconds."""

    at: float
    where: str
    processes: Mapping[str, Figures | str]
    known: list[ProcessStatus] | None
    broker: Broker | str
    database: Database | str


class Asker:
    """Keeps its connections from one look to the next."""

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False)
        self._broker_http: httpx.AsyncClient | None = None
        self._broker_trusted: str | None = None
        self._connection: asyncpg.Connection | None = None
        self._connected_to: str | None = None
        self._sessions: tuple[float, int | None] = (-_SESSIONS_EVERY_SECONDS, None)

    async def ask(self, sources: Sources) -> Answers:
        """One look at everything."""
        metrics = asyncio.gather(*map(self._metrics, sources.metrics.values()))
        broker, database, processes = await asyncio.gather(
            self._broker(sources), self._database(sources.database), metrics
        )
        return Answers(
            at=time.monotonic(),
            where=sources.where,
            processes=dict(zip(sources.metrics, processes, strict=True)),
            known=sources.processes,
            broker=broker,
            database=database,
        )

    async def close(self) -> None:
        """Lets the connections go."""
        await self._http.aclose()
        if self._broker_http is not None:
            await self._broker_http.aclose()
        self._drop()

    async def _metrics(self, address: str) -> Figures | str:
        try:
            answer = await self._http.get(address)
            answer.raise_for_status()
            return figures.read(answer.text)
        except (httpx.HTTPError, ValueError) as error:
            return _why(error)

    async def _broker(self, sources: Sources) -> Broker | str:
        if sources.management is None or sources.amqp is None:
            return "nobody said where it is"
        vhost = urls.vhost_of(sources.amqp)
        queues = f"/api/queues/{quote(vhost, safe='')}?columns=name,messages_ready,messages_unacknowledged"
        try:
            http = await self._at_broker(sources.amqp)
            asked = (_managed(http, sources.management + path) for path in ("/api/overview", "/api/nodes", queues))
            overview, nodes, found = await asyncio.gather(*asked)
            return Broker(
                version=overview["rabbitmq_version"],
                connections=overview["object_totals"]["connections"],
                alarms=[
                    _of_node(node, alarm) for node in nodes for alarm in ("mem", "disk_free") if node[f"{alarm}_alarm"]
                ],
                queues={queue["name"]: _queue(queue) for queue in found},
            )
        except (httpx.HTTPError, OSError, ValueError, KeyError) as error:
            return _why(error)

    async def _at_broker(self, amqp: str) -> httpx.AsyncClient:
        """Logged in as who the broker's AMQP address names, trusting whom it trusts."""
        if self._broker_http is None or self._broker_trusted != amqp:
            if self._broker_http is not None:
                await self._broker_http.aclose()
            self._broker_http = httpx.AsyncClient(
                auth=urls.login_of(amqp), verify=trusted(amqp), timeout=PATIENCE_SECONDS, trust_env=False
            )
            self._broker_trusted = amqp
        return self._broker_http

    async def _database(self, url: str | None) -> Database | str:
        if url is None:
            return "nobody said where it is"
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                connection = await self._connected(url)
                server = await connection.fetchrow(_SERVER)
                partitions = [Partition(**row) for row in await connection.fetch(_PARTITIONS)]
            sessions = await self._count_sessions(connection)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self._drop()
            return _why(error)
        return Database(**dict(server or {}), partitions=partitions, sessions=sessions)

    async def _connected(self, url: str) -> asyncpg.Connection:
        kept = self._connection
        if kept is not None and not kept.is_closed() and self._connected_to == url:
            return kept
        self._drop()
        settings = {"application_name": "mana-top", "statement_timeout": f"{int(PATIENCE_SECONDS * 1000)}"}
        made: asyncpg.Connection = await asyncpg.connect(url, server_settings=settings)
        self._connection, self._connected_to = made, url
        return made

    async def _count_sessions(self, connection: asyncpg.Connection) -> int | None:
        """The last count while that is young; None where they are too many to be counted in time."""
        counted_at, sessions = self._sessions
        if time.monotonic() - counted_at >= _SESSIONS_EVERY_SECONDS:
            try:
                sessions = await connection.fetchval(_SESSIONS)
            except asyncpg.QueryCanceledError:
                sessions = None
            self._sessions = (time.monotonic(), sessions)
        return sessions

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


async def _managed(http: httpx.AsyncClient, address: str) -> Any:
    answer = await http.get(address)
    answer.raise_for_status()
    return answer.json()


def _queue(told: Mapping[str, Any]) -> Queue:
    """One that was just declared has no counts yet."""
    return Queue(told.get("messages_ready", 0), told.get("messages_unacknowledged", 0))


def _of_node(node: Mapping[str, Any], alarm: str) -> str:
    return f"{alarm} of {node['name']}"


def _why(error: Exception) -> str:
    """In a few words, and without addresses, which hold passwords."""
    match error:
        case httpx.HTTPStatusError():
            return f"answers {error.response.status_code}"
        case TimeoutError() | httpx.TimeoutException():
            return "does not answer in time"
        case OSError() | httpx.TransportError():
            return "cannot be reached"
        case asyncpg.PostgresError():
            return str(error).splitlines()[0]
        case _:
            return f"is not understood ({type(error).__name__})"
