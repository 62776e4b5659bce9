"""A guide as its reader goes through it: its commands in one shell, block after block, and what is shown beside each.

A block of ``sh`` is run. A block of ``text`` or ``json`` directly below shows all that it prints: spaces and line ends
do not count, and ``…`` stands for any part of a string, a word or a number. A block with nothing below prints nothing.
A block of ``console`` has what is typed behind ``$``, and is not run. A block of ``python`` that begins with a comment
such as ``# use.py`` is saved under this name.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

COMMANDS: Final = "sh"
ELSEWHERE: Final = "console"
PROGRAM: Final = "python"
SHOWN: Final = frozenset({"text", "json"})
_FENCE: Final = re.compile(
    r"^(?P<indent>[ >]*)```(?P<language>[^`\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)
_NAME: Final = re.compile(r"# ([a-z_]+[.]py)\n")
_SECONDS: Final = 300.0


@dataclass(frozen=True)
class Block:
    """A fenced block; ``shown`` is what stands directly below a block of commands."""

    line: int
    section: str
    language: str
    text: str
    shown: str | None = None

    def typed(self) -> list[str]:
        """The commands of a block that is not run, each in one line."""
        whole = self.text.replace("\\\n", "").splitlines()
        assert all(line.startswith("$ ") for line in whole), f"line {self.line}: a command begins with a dollar"
        return [line.removeprefix("$ ") for line in whole]

    def saved_as(self) -> str | None:
        """The file that a program says it is to be saved in."""
        named = _NAME.match(self.text) if self.language == PROGRAM else None
        return None if named is None else named[1]

    def script(self) -> str:
        """What a shell does for it: runs it, or saves it."""
        name = self.saved_as()
        return self.text if name is None else f"cat > {name} <<'END OF PROGRAM'\n{self.text}END OF PROGRAM\n"


def blocks_of(guide: str) -> list[Block]:
    """All blocks of a guide in their order; what is shown below commands is theirs."""
    blocks: list[Block] = []
    end = -1
    for fence in _FENCE.finditer(guide):
        below = guide[end : fence.start()].strip() == "" and bool(blocks) and blocks[-1].language == COMMANDS
        end = fence.end()
        if below and fence["language"] in SHOWN:
            blocks[-1] = replace(blocks[-1], shown=fence["text"])
            continue
        before = guide[: fence.start()]
        blocks.append(Block(before.count("\n") + 1, _section(before), fence["language"], fence["text"]))
    return blocks


def _section(before: str) -> str:
    headings = re.findall(r"^#+ (.*)$", before, flags=re.MULTILINE)
    return headings[-1] if headings else ""


def outputs(blocks: Sequence[Block], cwd: Path, environment: Mapping[str, str]) -> dict[int, str]:
    """What each block printed, by its line. Fails at the first command whose status is not 0, or that does not end.

    Nothing that was started in the background outlives it.
    """
    mark = "\x1e{}\x1e"
    script = "".join(f"printf '{mark.format(block.line)}'\n{block.script()}\n" for block in blocks)
    shell = subprocess.Popen(
        ["bash", "-euc", script],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "LC_ALL": "C.UTF-8", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    try:
        told, _ = shell.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)  # with what runs in its background, which holds the pipe open
        told, _ = shell.communicate()
    finally:
        with suppress(ProcessLookupError):  # all of it has ended
            os.killpg(shell.pid, signal.SIGKILL)
    parts = told.split("\x1e")[1:]
    printed = {int(line): text for line, text in zip(parts[::2], parts[1::2], strict=True)}
    line, last = list(printed.items())[-1]
    assert shell.returncode == 0, f"line {line} ended with {shell.returncode}:\n{last}"
    return printed


def is_as_shown(printed: str, shown: str | None) -> bool:
    """Whether that is what the guide shows."""
    pattern = _any_part(re.escape(_packed(shown or "")))
    return re.fullmatch(pattern, _packed(printed)) is not None


def _packed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _any_part(pattern: str) -> str:
    return pattern.replace("…", r'(?:\\.|[^"\\{}])*?')
