"""Goal: what was refused at the door, or never answered, counts as late as long as a load is judged by its answers."""

from __future__ import annotations

from pathlib import Path

from tests.faults.oracle.client import Client
from tests.faults.oracle.journal import Journal
from tests.faults.oracle.load import Load


def _load(folder: Path) -> Load:
    return Load(Client("amqp://nowhere", Journal(folder / "journal.jsonl", "run")), ["a", "b"], rate=1.0)


async def test_who_has_no_answer_is_late(tmp_path: Path) -> None:
    load = _load(tmp_path)
    load.due = [10.0, 10.5, 11.0, 11.5, 12.0]
    load.latencies = [(10.0, 0.2), (10.5, 3.0), (11.0, 0.9), (12.0, 0.1)]
    assert load.answered_within(1.0, 10.0, 12.0) == 0.5
    assert load.answered_within(1.0, 12.0, 13.0) == 1.0


async def test_no_command_is_no_sign_of_calm(tmp_path: Path) -> None:
    assert _load(tmp_path).answered_within(1.0, 0.0, 100.0) == 0.0
