"""What a backup takes along of the broker, and which folders PostgreSQL may archive to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops import layout, settings
from ops.backup import archive, record
from ops.backup.definitions import of_others
from ops.backup.record import Record
from ops.errors import LauncherError
from ops.identity import Identity
from ops.state import State

VHOST = "/"
APP = "chat.k3f9x0a2b7c1"


def _queue(name: str, vhost: str = VHOST) -> dict[str, Any]:
    return {"name": name, "vhost": vhost}


def _binding(source: str, destination: str) -> dict[str, Any]:
    return {"source": source, "destination": destination, "vhost": VHOST, "destination_type": "queue"}


def _right(user: str, vhost: str = VHOST) -> dict[str, Any]:
    return {"user": user, "vhost": vhost}


HELD: dict[str, Any] = {
    "users": [{"name": name} for name in ("root", "mana-admin", "mana-worker", APP, "by-hand", "shop.reader")],
    "permissions": [_right("root"), _right("mana-worker"), _right("by-hand"), _right("by-hand", "another")],
    "topic_permissions": [_right(APP), _right("by-hand"), _right("shop.reader")],
    "queues": [_queue("credits.commands.0"), _queue("mana.mail"), _queue("chat.events"), _queue("other", "another")],
    "exchanges": [_queue("credits.commands"), _queue("credits.events"), _queue("chat.fan")],
    "bindings": [
        _binding("credits.commands", "credits.commands.0"),
        _binding("credits.events", "credits.events.log"),
        _binding("credits.events", "chat.events"),
        _binding("chat.fan", "chat.events"),
    ],
}


def test_only_what_is_made_by_hand_comes_along() -> None:
    """Above all no binding of the commands' exchange: their order is who has which partition. A dot in its name makes
    no login an app's."""
    taken = of_others(HELD, VHOST, {"root", APP})
    assert taken == {
        "users": [{"name": "by-hand"}, {"name": "shop.reader"}],
        "permissions": [_right("by-hand")],
        "topic_permissions": [_right("by-hand"), _right("shop.reader")],
        "queues": [_queue("chat.events")],
        "exchanges": [_queue("chat.fan")],
        "bindings": [_binding("credits.events", "chat.events"), _binding("chat.fan", "chat.events")],
    }


@pytest.mark.parametrize("folder", ["wal", "/var/wal of mana", '/var/"wal', "/var/$(reboot)", "/var/%f"])
def test_a_folder_that_a_shell_could_misread_is_refused(folder: str) -> None:
    with pytest.raises(LauncherError, match="cannot be used"):
        archive.prepare(Path(folder), Identity(), "1", "a")


def test_an_archive_is_of_one_place(tmp_path: Path) -> None:
    """A restored copy of it has the same database, by its number, and another mark."""
    folder = tmp_path / "deep" / "wal"
    archive.prepare(folder, Identity(), "7001", "a")
    archive.prepare(folder, Identity(), "7001", "a")
    with pytest.raises(LauncherError, match="another place with the same data"):
        archive.prepare(folder, Identity(), "7001", "b")
    with pytest.raises(LauncherError, match="another database"):
        archive.prepare(folder, Identity(), "7002", "a")


def test_which_segments_a_backup_needs(tmp_path: Path) -> None:
    names = [
        *("000000010000000000000004", "000000010000000000000005", "000000010000000000000006", "00000002.history"),
        *("000000020000000000000006", "000000010000000000000007.part", "system"),
    ]
    for name in names:
        (tmp_path / name).touch()
    found = [path.name for path in archive.segments_from(tmp_path, "000000010000000000000005")]
    assert found == [
        *("000000010000000000000005", "000000010000000000000006", "00000002.history", "000000020000000000000006"),
    ]


def test_a_backup_of_another_format_is_refused(tmp_path: Path) -> None:
    moment = datetime(2027, 1, 31, tzinfo=UTC)
    known = Record(moment, moment, 15, "mana", 32, "000000010000000000000005")
    record.write(tmp_path, known)
    assert record.read(tmp_path) == known
    record.write(tmp_path, Record(moment, moment, 15, "mana", 32, "000000010000000000000005", format=2))
    with pytest.raises(LauncherError, match="of format 2"):
        record.read(tmp_path)
    (tmp_path / "backup.json").write_text("{")
    with pytest.raises(LauncherError, match="cannot be read"):
        record.read(tmp_path)


@pytest.mark.parametrize(
    ("names", "lacks"),
    [
        ([], None),
        (
            ["000000010000000000000005", "000000010000000000000006", "000000020000000000000006", "00000002.history"],
            None,
        ),
        (["0000000100000001000000FF", "000000010000000200000000"], None),
        (["0000000100000000000000FE", "000000010000000100000001", "000000010000000100000003"], "00000000000000FF"),
    ],
)
def test_the_first_segment_that_an_archive_lacks_is_known(names: list[str], lacks: str | None) -> None:
    assert archive.gap([Path(name) for name in names]) == lacks


def test_a_start_that_does_not_say_where_to_archive_goes_on_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = State(data=str(tmp_path))
    seen: list[Path | None] = []
    for value in ("/backups/wal", "", "/elsewhere", "off", ""):
        monkeypatch.setenv("BACKUP_WAL_DIR", value)
        seen.append(layout.private_postgres(tmp_path, kept, settings.read()).wal_archive)
    assert seen == [Path("/backups/wal"), Path("/backups/wal"), Path("/elsewhere"), None, None]
