"""Frames of two looks between which something happened: a process began anew, one is down, a server is away."""

from __future__ import annotations

import io
from collections.abc import Mapping

from rich.console import Console

from ops.kernel import ProcessId
from ops.status import ProcessStatus
from ops.top import drawing, frame
from ops.top.asking import Answers, Broker, Database, Partition, Queue
from ops.top.figures import NONE, Figures
from ops.top.frame import Frame

AWAY = "cannot be reached"


def worker(uses: float, *, cpu: float = 0.0, lag: float = 0.0, owns: int = 0) -> Figures:
    return {
        "mana_commands_total": [({"type": "credits.use", "result": "ok"}, uses)],
        "mana_events_confirmed_total": [({}, uses)],
        "mana_partition_owned": [({"partition": str(owns)}, 1.0), ({"partition": "7"}, 0.0)],
        "mana_event_lag": [({"partition": str(owns)}, lag), ({"partition": "7"}, 9.0)],
        "process_cpu_seconds_total": [({}, cpu)],
        "process_start_time_seconds": [({}, 0.0)],
        "process_resident_memory_bytes": [({}, 50_000_000.0)],
    }


def look(
    at: float,
    processes: Mapping[str, Figures | str],
    *,
    known: list[ProcessStatus] | None = None,
    broker: Broker | str = AWAY,
    database: Database | str = AWAY,
) -> Answers:
    return Answers(at, "here", processes, known, broker, database)


def shown(made: Frame, height: int | None = None) -> str:
    written = io.StringIO()
    Console(width=130, height=height, file=written).print(drawing.draw(made, height))
    return written.getvalue()


def test_rates_are_of_the_seconds_between_two_looks() -> None:
    made = frame.make(look(10, {"w": worker(100, cpu=1)}), look(12, {"w": worker(140, cpu=2)}))
    assert (made.seconds, made.commands, made.results) == (2, {"credits.use": 20}, {"ok": 20})
    assert (made.events_per_second, made.processes[0].cpu) == (20, 0.5)


def test_a_process_that_began_anew_has_done_what_it_counts_now() -> None:
    made = frame.make(look(10, {"w": worker(100_000)}), look(12, {"w": worker(6)}))
    assert made.commands == {"credits.use": 3}


def test_what_a_process_did_before_it_was_looked_at_is_no_rate() -> None:
    for before in (None, look(10, {}), look(10, {"w": AWAY})):
        made = frame.make(before, look(12, {"w": worker(100_000)}))
        assert (made.commands, made.processes[0].state) == ({}, "up")


def test_who_does_not_answer_is_down_unless_the_supervisor_knows_better() -> None:
    own = ProcessId.own()
    known = [
        ProcessStatus("w", "http://h:1", "ready", own, restarts=2),
        ProcessStatus("mail", "http://h:2", "starting"),
        ProcessStatus("postgres", None, "ready", own),
    ]
    made = frame.make(None, look(1, {"w": AWAY, "mail": AWAY, "h:3": AWAY}, known=known))
    assert [(one.name, one.state, one.why) for one in made.processes] == [
        ("w", "down", AWAY),
        ("mail", "starting", AWAY),
        ("postgres", "ready", None),
        ("h:3", "down", AWAY),
    ]
    assert (made.processes[0].pid, made.processes[0].restarts) == (own.pid, 2)


def test_partitions_are_known_by_whoever_can_tell() -> None:
    kept = [Partition(0, 5, "w"), Partition(1, 2, None)]
    database = Database(3, 100, 2**21, kept, None)
    dead = {"credits.dead": Queue(2, 0), "credits.dead.broker": Queue(1, 0)}
    broker = Broker("3.10", 4, [], {"credits.commands.0": Queue(7, 1), **dead})
    made = frame.make(None, look(1, {"w": worker(1, lag=4)}, broker=broker, database=database))
    told = [(row.partition, row.owner, row.ready, row.unanswered, row.unconfirmed) for row in made.partitions]
    assert told == [(0, "w", 7, 1, 4), (1, None, None, None, 2)]
    assert (made.events_unconfirmed, made.dead_letters, made.sessions) == (6, 3, None)

    alone = frame.make(None, look(1, {"w": worker(1, lag=4)}))
    assert [(row.partition, row.owner, row.unconfirmed) for row in alone.partitions] == [(0, "w", 4)]
    assert alone.dead_letters is None


def test_what_is_wrong_is_said() -> None:
    database = Database(3, 100, 2**21, [Partition(1, 2, None)], 1_234_567)
    broker = Broker("3.10", 4, ["disk_free of rabbit@h"], {})
    seen = shown(frame.make(None, look(1, {"w": AWAY}, broker=broker, database=database)))
    for said in ("down", AWAY, "nobody", "blocked", "disk_free of rabbit@h", "1 234 567"):
        assert said in seen


def test_partitions_that_find_no_room_are_those_with_the_least_lag() -> None:
    kept = [Partition(number, 500 if number == 41 else 0, "w") for number in range(64)]
    made = frame.make(None, look(1, {"w": NONE}, database=Database(1, 1, 1, kept, 0)))
    seen = shown(made, height=40)
    assert len(seen.splitlines()) <= 40
    assert " 41 " in seen
    assert "64 partitions: w 64" in seen
    assert "are not shown" in seen
    assert " 63 " in shown(made)
