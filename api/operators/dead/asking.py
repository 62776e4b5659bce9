"""What an operator may ask of dead letters, as words of a command line. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from api.operators.dead.letters import Letter

_LIMIT: Final = 100
_ID_CHARACTERS_MIN: Final = 6


def asked(words: Sequence[str] | None) -> argparse.Namespace:
    """The command with its options; ends the process where there is no such command."""
    parser = argparse.ArgumentParser(prog="./mana dead", description="What is kept in credits.dead.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listed = commands.add_parser("list", help="the letters, oldest first", description="The letters, oldest first.")
    listed.add_argument("--limit", type=_positive, default=_LIMIT, metavar="N", help=f"so many; {_LIMIT}")
    shown = commands.add_parser("show", help="one letter whole", description="One letter whole.")
    shown.add_argument("ids", nargs=1, type=_id, metavar="ID")
    redriven = commands.add_parser(
        "redrive",
        help="send letters again, then remove them",
        description="Send letters again in the name of who sent them, and remove each once the broker has it. What was"
        " in fact done is answered as a replay, and not done twice.",
    )
    dropped = commands.add_parser("drop", help="give letters up for ever", description="Give letters up for ever.")
    dropped.add_argument("--because", required=True, type=_sentence, metavar="TEXT", help="why; it is written down")
    for one in (redriven, dropped):
        one.add_argument("ids", nargs="*", type=_id, metavar="ID", help="as list shows them, or how they begin")
        one.add_argument("--all", action="store_true", dest="everything", help="all that the options below leave")
    for one in (listed, redriven, dropped):
        one.add_argument("--reason", metavar="TEXT", help="those alone whose reason holds this text")
        one.add_argument("--app", metavar="ID", help="those of this app alone")
        one.add_argument("--user", metavar="ID", help="those of this user alone")
    given = parser.parse_args(words)
    if given.command in {"redrive", "drop"} and bool(given.ids) == given.everything:
        parser.error("name letters by their ids, or say --all")
    return given


def fits(given: argparse.Namespace, letter: Letter) -> bool:
    """Whether a letter is among those that are asked for."""
    ids = getattr(given, "ids", None)
    if ids and not letter.id.startswith(tuple(ids)):
        return False
    if given.command == "show":
        return True
    return (
        (given.reason is None or given.reason.casefold() in letter.reason.casefold())
        and (given.app is None or given.app == letter.app)
        and (given.user is None or given.user.lower() == letter.user)
    )


def _id(text: str) -> str:
    word = text.lower()
    if len(word) < _ID_CHARACTERS_MIN or not set(word) <= set("0123456789abcdef"):
        raise argparse.ArgumentTypeError(f"{text} is no letter's id, nor {_ID_CHARACTERS_MIN} characters of one")
    return word


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _sentence(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it must say something")
    return text.strip()
