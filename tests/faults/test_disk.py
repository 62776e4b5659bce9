"""A small disk is full when it is filled, and has room when it is larger; where none can be had, that is said."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from ops.place import CHECKOUT
from tests.faults.tools.disk import small_disk
from tests.faults.tools.errors import NotPermittedError

_MIB = 1024 * 1024
_TRY = """
from tests.faults.tools.disk import small_disk
from tests.faults.tools.errors import NotPermittedError
try:
    with small_disk(1):
        print("mounted")
except NotPermittedError as error:
    print(error)
"""
_WITHOUT_RIGHTS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")


def test_it_is_filled_to_the_last_byte_and_grows() -> None:
    if "cannot be mounted here" in _tried():
        with pytest.raises(NotPermittedError), small_disk(2):
            pass
        return
    with small_disk(2) as disk:
        assert disk.fill() == 2 * _MIB
        with pytest.raises(OSError) as full:
            (disk.path / "one more").write_bytes(b"x")
        assert full.value.errno == errno.ENOSPC
        disk.resize(3)
        assert disk.fill() == _MIB


def test_without_the_rights_it_is_said() -> None:
    assert "cannot be mounted here" in _tried(*(_WITHOUT_RIGHTS if os.geteuid() == 0 else ()))


def _tried(*before: str) -> str:
    argv = [*before, sys.executable, "-c", _TRY]
    return subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
