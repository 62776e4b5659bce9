"""What `./mana top` says where there is nothing to be seen, or nobody who sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.errors import LauncherError
from ops.place import Place
from ops.top import sources, watching


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in sources.NAMES:
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path)


def test_where_nothing_runs_one_frame_cannot_be(nowhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_BETWEEN_TWO_LOOKS_SECONDS", 0.0)
    with pytest.raises(LauncherError, match="Nothing runs in"):
        watching.look(nowhere, as_json=True)


def test_a_screen_needs_a_terminal(nowhere: Place) -> None:
    with pytest.raises(LauncherError, match="needs a terminal"):
        watching.watch(nowhere, 1.0)


def test_what_was_not_named_is_said(nowhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANA_METRICS_URLS", "http://h:1/metrics,http://h:2/metrics")
    found = sources.find(nowhere)
    assert found is not None
    assert found.metrics == {"h:1": "http://h:1/metrics", "h:2": "http://h:2/metrics"}
    assert (found.database, found.amqp, found.processes) == (None, None, None)
