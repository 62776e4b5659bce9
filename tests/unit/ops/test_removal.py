"""What a purge deletes, and what it must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops import layout, running, state
from ops.errors import LauncherError
from ops.place import REACHABLE, Place, new_data_outside
from ops.settings import Settings


def stopped(home: Path, *given: str) -> Place:
    """A stopped instance that has data, and was given these servers."""
    place = Place(home)
    place.data_inside.mkdir(parents=True)
    (place.data_inside / "redis").touch()
    state.save(place.state, state.State(data=str(place.data_inside), given=list(given)))
    return place


def test_a_private_instances_data_and_secrets_go_together(tmp_path: Path) -> None:
    place = stopped(tmp_path)
    place.mails.mkdir()
    (place.mails / "1.eml").touch()
    assert running.purge(place) == "The data is deleted."
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_what_given_servers_need_is_kept_and_said(tmp_path: Path) -> None:
    place = stopped(tmp_path, "DATABASE_URL", "AMQP_URL")
    before = state.load(place.state)
    said = running.purge(place)
    assert "(DATABASE_URL, AMQP_URL) were not touched" in said
    assert str(place.state) in said
    assert "data is deleted" not in said
    assert state.load(place.state) == before
    assert not place.data_inside.exists()


def test_the_settings_tell_which_servers_are_given() -> None:
    assert Settings().given == []
    assert Settings(database_url="postgresql://x", redis_host="y").given == ["DATABASE_URL", "REDIS_URL"]


def test_data_without_its_passwords_is_refused_by_name(tmp_path: Path) -> None:
    place = stopped(tmp_path)
    place.state.unlink()
    with pytest.raises(LauncherError, match=str(place.data_inside)):
        layout.first_state(place)


def test_a_home_made_again_never_meets_old_data() -> None:
    first, second = new_data_outside(), new_data_outside()
    assert first.parent == second.parent == REACHABLE
    assert first != second
