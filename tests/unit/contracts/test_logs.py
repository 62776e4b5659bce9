"""Lines for machines and for eyes, written by a process of their own: logging is a process's."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
_WRITES: Final = """
import logging, sys, threading
import structlog
from contracts import logs
logs.configure("worker-0", "INFO", sys.argv[1])
log = structlog.get_logger("ours")

class Shown(Exception):
    def __str__(self): made.append(self); return "shown"

made = []
log.debug("below", exc_info=Shown())
assert not made, "something is made of a line that nobody wants"
log.info("told", key="a\\x1b[2Jb", number=1)
with structlog.contextvars.bound_contextvars(request_id="r-1"):
    try:
        password = "hunter" + "-two"
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")
threading.Thread(target=logging.getLogger("theirs").warning, args=("from a thread",)).start()
"""


def written(wanted: str) -> str:
    """What it writes where nobody sits."""
    return subprocess.check_output([sys.executable, "-c", _WRITES, wanted], cwd=ROOT, text=True)


def shown(wanted: str) -> str:
    """What it writes on a terminal."""
    ours, terminal = pty.openpty()
    done = subprocess.run([sys.executable, "-c", _WRITES, wanted], cwd=ROOT, stdout=terminal, check=True)
    os.close(terminal)
    assert done.returncode == 0
    seen = bytearray()
    try:
        while part := os.read(ours, 65_536):
            seen += part
    except OSError:  # the other side is closed, and all is read
        os.close(ours)
    return seen.decode()


def test_machines_get_an_object_per_line() -> None:
    told, failed, theirs = map(json.loads, written("auto").splitlines())
    assert told.items() >= {"event": "told", "level": "info", "logger": "ours", "process": "worker-0"}.items()
    assert (told["key"], told["number"], "timestamp" in told) == ("a\x1b[2Jb", 1, True)
    assert (failed["request_id"], "ValueError: broken" in failed["exception"]) == ("r-1", True)
    assert theirs.items() >= {"event": "from a thread", "process": "worker-0", "logger": "theirs"}.items()


def test_who_sits_at_a_terminal_gets_text_that_cannot_steer_it() -> None:
    seen = shown("auto")
    assert "told" in seen
    assert "\x1b[2J" not in seen, "a client's text clears the screen"
    assert r"a\x1b[2Jb" in seen
    assert "ValueError: broken" in seen
    assert "hunter-two" not in seen, "the values of variables are shown"


def test_the_setting_overrules_where_it_goes() -> None:
    assert json.loads(shown("json").splitlines()[0])["event"] == "told"
    assert not written("text").startswith("{")
