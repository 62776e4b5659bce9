"""Subscribers that are written wrongly, and a ledger that withholds events, do not come through S47.

Who reads the examples may leave a line out. Each fault here is one of these, in a copy.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from ops.instance import Instance
from tests.faults.running import judged
from tests.faults.scenario import REGISTRY
from tests.faults.scenarios import load_all
from tests.faults.servers import private_servers
from tests.faults.stage import Stage
from tests.faults.tools import examples

load_all()

S47: Final = REGISTRY["S47"]
SEED: Final = 4
# Our client drops repeats by itself, as its own tests show.
NOT_DROPPED: Final = {
    "balances.mjs": ((r"(state\.repeats \+= 1;)\s+return;", r"\1"),),
    "balances_pika.py": ((r"(state\[\"repeats\"\] \+= 1)\s+return\n", r"\1\n"),),
}
PLACE_BEFORE_STATE: Final = {
    "balances.mjs": (
        (r"( +)(for \(const message of batch\))", r"\1const behind = structuredClone(state);\n\1\2"),
        (r"await store\(file, state\)", "await store(file, behind)"),
    ),
    "balances_pika.py": (
        (r"( +)(for _, properties, body in arrived:)", r"\1behind = json.loads(json.dumps(state))\n\1\2"),
        (r"    store\(file, state\)", '    store(file, {**behind, "place": state["place"]})'),
    ),
    "balances.py": (
        (r"dump\(self\.state", 'dump({**getattr(self, "behind", self.state), "place": self.state["place"]}'),
        (r"( +)fresh\.replace.*\n", r"\g<0>\1self.behind = json.loads(json.dumps(self.state))\n"),
    ),
}
"""What is acknowledged, or passed in the log, stands in the file with the next batch only."""
FAULTS: Final = {
    "repeats are not dropped": (NOT_DROPPED, "saw [1-9][0-9]* gaps"),
    "the place is stored before the state": (PLACE_BEFORE_STATE, "saw [1-9][0-9]* gaps"),
}
"""What is replaced by what in each example, and what must be said of it."""


@pytest.fixture
def servers() -> Generator[Instance]:
    """Of its own: what is withheld is missing in the log for ever."""
    with private_servers(partitions=S47.partitions, name="balances") as instance:
        yield instance


@pytest.fixture
def spoilt(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of examples with this fault in each, which are played in place of the real ones."""
    folder = tmp_path / "spoilt"
    shutil.copytree(examples.EXAMPLES, folder)
    for name, replacements in FAULTS[fault][0].items():
        text = (folder / name).read_text(encoding="utf-8")
        for pattern, replacement in replacements:
            text, times = re.subn(pattern, replacement, text)
            assert times == 1, f"{name} has {times} places like {pattern}"
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(examples, "EXAMPLES", folder)
    return folder


async def _said(servers: Instance, folder: Path, mutant: str | None = None) -> list[str]:
    """What S47 says is broken, besides the oracle's equations."""
    folder.mkdir(exist_ok=True)
    stage = Stage(servers, S47, "fast", SEED, folder)
    stage.workers.mutant = mutant
    await judged(stage, SEED, 20.0)
    return stage.notes.broken


def _must_be_said_of(name: str, what: str, said: list[str]) -> None:
    assert any(re.match(f"{re.escape(name)} {what}", line) for line in said), "\n".join(said)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("spoilt")
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_subscriber_with_a_fault_is_caught(fault: str, servers: Instance, tmp_path: Path) -> None:
    said = await _said(servers, tmp_path / "run")
    spoils, what = FAULTS[fault]
    for name in spoils:
        _must_be_said_of(name, what, said)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_subscriber_sees_that_an_event_is_withheld(servers: Instance, tmp_path: Path) -> None:
    said = await _said(servers, tmp_path / "run", "event_withheld")
    for name in PLACE_BEFORE_STATE:
        _must_be_said_of(name, "saw [1-9][0-9]* gaps", said)
