"""One look as figures: what is there now, and what was done between the last look and this one. Pure."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from contracts.topology import DEAD_QUEUES, command_queue
from ops.top import figures
from ops.top.asking import Answers, Broker, Database, Queue
from ops.top.figures import NONE, Figures

_TIMES: Final = {
    "REST request": "mana_http_request_seconds",
    "command, in the front": "mana_command_seconds",
    "command, in the worker": "mana_command_worker_seconds",
    "batch, in the database": "mana_batch_database_seconds",
}
_WAITING: Final = {
    "outbox": "mana_outbox_waiting",
    "mails": "mana_mails_waiting",
    "events of users": "mana_user_events_waiting",
    "events of Stripe": "mana_stripe_events_waiting",
    "password hashes": "mana_password_hashes_waiting",
}


class Time(msgspec.Struct, frozen=True):
    """How long something took in the last seconds; None where it did not happen."""

    name: str
    per_second: float
    p50_seconds: float | None
    p99_seconds: float | None


class Process(msgspec.Struct, frozen=True):
    """`state`: the supervisor's word, else `up`; `down` where its metrics do not answer, for the reason `why`."""

    name: str
    state: str
    why: str | None = None
    pid: int | None = None
    restarts: int | None = None
    up_seconds: float | None = None
    memory_bytes: float | None = None
    cpu: float | None = None
    """Share of one processor's time."""


class PartitionRow(msgspec.Struct, frozen=True):
    """None is what nobody could tell."""

    partition: int
    owner: str | None
    ready: int | None
    unanswered: int | None
    unconfirmed: int | None

    @property
    def lag(self) -> int:
        """Commands and events that wait."""
        return (self.ready or 0) + (self.unanswered or 0) + (self.unconfirmed or 0)


class Frame(msgspec.Struct, frozen=True):
    """All that the screen shows. Rates are per second, over `seconds`; `commands` by type, `results` by result."""

    at: datetime
    where: str
    seconds: float
    commands: Mapping[str, float]
    results: Mapping[str, float]
    times: Sequence[Time]
    events_per_second: float
    events_unconfirmed: int | None
    dead_letters: int | None
    dead_letters_per_second: float
    sessions: int | None
    sign_ins: Mapping[str, float]
    waiting: Mapping[str, float]
    broker: Broker | str
    broker_blocked: bool
    database: Database | str
    processes: Sequence[Process]
    partitions: Sequence[PartitionRow]


def make(before: Answers | None, now: Answers) -> Frame:
    """A frame of two looks; of one alone, rates are those since each process began, which says little: look twice."""
    seconds = now.at - before.at if before is not None else 0.0
    grown = _grown(before, now)
    current = figures.together(told for told in now.processes.values() if not isinstance(told, str))
    partitions = _partitions(now)
    return Frame(
        at=datetime.now(UTC),
        where=now.where,
        seconds=seconds,
        commands=_rates(grown, "mana_commands_total", "type", seconds),
        results=_rates(grown, "mana_commands_total", "result", seconds),
        times=[_time(name, histogram, grown, seconds) for name, histogram in _TIMES.items()],
        events_per_second=_rate(figures.total(grown, "mana_events_confirmed_total"), seconds),
        events_unconfirmed=_sum(row.unconfirmed for row in partitions),
        dead_letters=None
        if isinstance(now.broker, str)
        else _sum(_waiting_in(now.broker.queues.get(name)) for name in DEAD_QUEUES),
        dead_letters_per_second=_rate(figures.total(grown, "mana_dead_letters_total"), seconds),
        sessions=None if isinstance(now.database, str) else now.database.sessions,
        sign_ins=_rates(grown, "mana_sign_ins_total", "result", seconds),
        waiting={what: told for what, name in _WAITING.items() if (told := figures.total(current, name)) is not None},
        broker=now.broker,
        broker_blocked=bool(figures.total(current, "mana_broker_blocked")),
        database=now.database,
        processes=_processes(now, grown=_grown_each(before, now), seconds=seconds),
        partitions=partitions,
    )


def _grown_each(before: Answers | None, now: Answers) -> dict[str, Figures]:
    """By process. One that was not there, or did not answer, has grown by nothing that belongs to these seconds."""
    earlier = {} if before is None else before.processes
    grown: dict[str, Figures] = {}
    for name, told in now.processes.items():
        was = earlier.get(name)
        if not isinstance(told, str):
            grown[name] = NONE if was is None or isinstance(was, str) else figures.increase(was, told)
    return grown


def _grown(before: Answers | None, now: Answers) -> Figures:
    return figures.together(_grown_each(before, now).values())


def _rates(grown: Figures, name: str, label: str, seconds: float) -> dict[str, float]:
    """The greatest first; what did not happen is left out."""
    rates = {kind: _rate(number, seconds) for kind, number in figures.by(grown, name, label).items() if number}
    return dict(sorted(rates.items(), key=lambda one: -one[1]))


def _rate(number: float | None, seconds: float) -> float:
    return (number or 0.0) / seconds if seconds > 0 else 0.0


def _time(name: str, histogram: str, grown: Figures, seconds: float) -> Time:
    return Time(
        name,
        _rate(figures.total(grown, f"{histogram}_count"), seconds),
        figures.quantile(grown, histogram, 0.5),
        figures.quantile(grown, histogram, 0.99),
    )


def _waiting_in(queue: Queue | None) -> int | None:
    return None if queue is None else queue.ready + queue.unacknowledged


def _partitions(now: Answers) -> list[PartitionRow]:
    """Owners and marks by the database; where that is away, what processes tell of those that are theirs."""
    queues: Mapping[str, Queue] = {} if isinstance(now.broker, str) else now.broker.queues
    owners, unconfirmed = _by_processes(now)
    if not isinstance(now.database, str):
        for kept in now.database.partitions:
            owners[kept.partition] = kept.owner
            unconfirmed.setdefault(kept.partition, kept.unconfirmed)
    return [
        PartitionRow(
            partition=number,
            owner=owners[number],
            ready=None if (queue := queues.get(command_queue(number))) is None else queue.ready,
            unanswered=None if queue is None else queue.unacknowledged,
            unconfirmed=unconfirmed.get(number),
        )
        for number in sorted(owners)
    ]


def _by_processes(now: Answers) -> tuple[dict[int, str | None], dict[int, int]]:
    """Owners, and events without a confirm: to the moment, and so better than the database's marks."""
    owners: dict[int, str | None] = {}
    unconfirmed: dict[int, int] = {}
    for process, told in now.processes.items():
        if isinstance(told, str):
            continue
        own = {number for number, is_ours in figures.by(told, "mana_partition_owned", "partition").items() if is_ours}
        owners |= {int(number): process for number in own}
        lags = figures.by(told, "mana_event_lag", "partition")
        unconfirmed |= {int(number): int(lag) for number, lag in lags.items() if number in own}
    return owners, unconfirmed


def _sum(numbers: Iterable[int | None]) -> int | None:
    """None where nobody tells any."""
    told = [number for number in numbers if number is not None]
    return sum(told) if told else None


def _processes(now: Answers, grown: Mapping[str, Figures], seconds: float) -> list[Process]:
    """Those that the supervisor knows, in its order, then all others whose metrics are asked for."""
    known = {one.name: one for one in now.known or ()}
    rows: list[Process] = []
    for name in dict.fromkeys([*known, *now.processes]):
        one, told, own = known.get(name), now.processes.get(name), grown.get(name, NONE)
        if one is None:
            rows.append(_process(name, told, own, seconds))
        else:
            row = _process(name, told, own, seconds, one.state)
            rows.append(msgspec.structs.replace(row, pid=one.pid, restarts=one.restarts))
    return rows


def _process(name: str, told: Figures | str | None, grown: Figures, seconds: float, state: str = "up") -> Process:
    """`told` is None of servers, whose own metrics we do not read."""
    if told is None:
        return Process(name, state)
    if isinstance(told, str):
        return Process(name, "down" if state in {"up", "ready"} else state, why=told)
    began = figures.total(told, "process_start_time_seconds")
    used = figures.total(grown, "process_cpu_seconds_total")
    return Process(
        name,
        state,
        up_seconds=None if began is None else max(0.0, time.time() - began),
        memory_bytes=figures.total(told, "process_resident_memory_bytes"),
        cpu=None if used is None else _rate(used, seconds),
    )
