"""S42 is played with the real code of the version before, or says that it cannot be; and what it asks for can fail."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from migrations import runner
from ops.instance import Instance
from tests.faults.running import judged
from tests.faults.scenario import REGISTRY, NotPlayedError
from tests.faults.scenarios import load_all
from tests.faults.servers import private_servers
from tests.faults.stage import Stage
from tests.faults.tools.versions import oldest_that_survives

load_all()

S42: Final = REGISTRY["S42"]
SEED: Final = 4


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three commits: a contracting migration, its renumbering, and another that only adds."""
    made = tmp_path / "repository"
    (made / "migrations/sql").mkdir(parents=True)
    _git(made, "init", "--quiet")
    _commit(made, "0001_first", "contract")
    _git(made, "mv", "migrations/sql/0001_first.sql", "migrations/sql/0002_first.sql")
    _commit(made, "0001_zeroth", "expand")
    _commit(made, "0003_second", "expand")
    return made


def _commit(repository: Path, label: str, phase: str) -> None:
    (repository / f"migrations/sql/{label}.sql").write_text(f"-- phase: {phase}\n-- {label}\n", encoding="utf-8")
    _git(repository, "add", ".")
    _git(repository, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", label)


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True)


def test_the_version_before_is_the_one_that_brought_the_last_contraction(repository: Path) -> None:
    with oldest_that_survives(repository) as version:
        assert version.schema == 2
        assert [file.name for file in sorted((version.checkout / "migrations/sql").iterdir())] == [
            "0001_zeroth.sql",
            "0002_first.sql",
        ]
    assert not version.checkout.exists()


def test_where_the_history_is_not_there_it_says_so(repository: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    _git(tmp_path, "clone", "--quiet", "--depth", "1", repository.as_uri(), str(shallow))
    with pytest.raises(NotPlayedError, match="this is a shallow clone"), oldest_that_survives(shallow):
        pass
    (repository / ".git").rename(tmp_path / "gone")
    with pytest.raises(NotPlayedError, match="not a git repository"), oldest_that_survives(repository):
        pass


@pytest.fixture
def servers() -> Generator[Instance]:
    """Of its own: its schema is made anew, and goes on to where no version has been."""
    with private_servers(partitions=S42.partitions, name="migrating") as instance:
        yield instance


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_migrator_that_waits_for_locks_is_caught(
    servers: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_LOCK_TIMEOUT", "0")
    stage = Stage(servers, S42, "fast", SEED, tmp_path)
    await judged(stage, SEED, 20.0)
    assert any(re.match("expand: a command over AMQP waited", line) for line in stage.notes.broken), stage.notes.broken
