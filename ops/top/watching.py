"""`./mana top` itself: looks again and again until a key says that it is enough, or once."""

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Generator
from typing import Final

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ops.errors import LauncherError
from ops.place import Place
from ops.top import drawing, frame, sources
from ops.top.asking import Answers, Asker
from ops.top.frame import Frame

_QUIT: Final = frozenset(b"qQ\x04")
_WIDTH: Final = 120
_BETWEEN_TWO_LOOKS_SECONDS: Final = 1.0


def watch(place: Place, every: float) -> None:
    """A screen that changes, until q. Raises LauncherError where there is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise LauncherError("A screen that changes needs a terminal: ./mana top --once prints what is there now.")
    asyncio.run(_watch(place, every))


def look(place: Place, *, as_json: bool) -> None:
    """One frame, over a second, on standard output. Raises LauncherError where there is nothing to be looked at."""
    seen = asyncio.run(_look(place))
    if as_json:
        sys.stdout.write(msgspec.json.encode(seen).decode() + "\n")
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    console.print(drawing.draw(seen))


async def _look(place: Place) -> Frame:
    asker = Asker()
    try:
        before = await _asked(asker, place)
        await asyncio.sleep(_BETWEEN_TWO_LOOKS_SECONDS)
        now = await _asked(asker, place)
    finally:
        await asker.close()
    if now is None:
        raise LauncherError(_nothing(place))
    return frame.make(before, now)


async def _asked(asker: Asker, place: Place) -> Answers | None:
    found = sources.find(place)
    return None if found is None else await asker.ask(found)


def _nothing(place: Place) -> str:
    return f"Nothing runs in {place.home}: start it with ./mana up, or name addresses in {sources.NAMES[0]}."


async def _watch(place: Place, every: float) -> None:
    """An instance that ends, and one that starts again, is no end of this."""
    asker, before = Asker(), None
    console = Console(highlight=False)
    enough = asyncio.Event()
    try:
        with _keys(enough), Live(Text("looking"), console=console, screen=True, auto_refresh=False) as screen:
            while not enough.is_set():
                now = await _asked(asker, place)
                if now is None:
                    screen.update(Text(f"{_nothing(place)}\n\nq: quit"), refresh=True)
                else:
                    screen.update(drawing.draw(frame.make(before, now), console.height), refresh=True)
                before = now
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(enough.wait(), every)
    finally:
        await asker.close()


@contextlib.contextmanager
def _keys(enough: asyncio.Event) -> Generator[None]:
    """Hears keys as they are pressed, and shows none of them."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def pressed() -> None:
        keys = os.read(terminal, 64)
        if not keys or _QUIT.intersection(keys):
            enough.set()

    tty.setcbreak(terminal)
    loop = asyncio.get_running_loop()
    loop.add_reader(terminal, pressed)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
