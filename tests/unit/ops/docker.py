"""A ``docker`` that stands in for Docker's own."""

from __future__ import annotations

import os
from pathlib import Path


def standing_in(folder: Path, answers: str) -> dict[str, str]:
    """The environment in which `docker` is one that lies in ``folder``. It keeps what it is asked for in the file
    ``asked`` of where it is asked; ``answers``: arms of a shell's `case` for the words."""
    folder.mkdir(exist_ok=True)
    docker = folder / "docker"
    docker.write_text(f'#!/bin/sh\necho "$*" >> asked\ncase "$*" in {answers};; esac\n')
    docker.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
