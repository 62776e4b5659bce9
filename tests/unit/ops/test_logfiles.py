from __future__ import annotations

from pathlib import Path

import pytest

from ops import logfiles


def test_a_long_log_is_cut_and_its_writer_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfiles, "_BOUND_BYTES", 10)
    log, short = tmp_path / "a.log", tmp_path / "b.log"
    short.write_text("short\n")
    with log.open("a") as writer:
        writer.write("a long line\n")
        writer.flush()
        logfiles.cut_long_ones(tmp_path)
        writer.write("next\n")
    assert log.read_text() == "next\n"
    assert (tmp_path / "a.log.1").read_text() == "a long line\n"
    assert short.read_text() == "short\n"
