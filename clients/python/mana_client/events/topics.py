"""Types of events, and the topics by which a queue gets them. Pure.

A topic is words with dots between them, and each event has three: the two of its type, and the app's. ``*`` stands for
any one word, ``#`` for any number of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

OF_APPS: Final = ("credits.used", "credits.refunded", "credits.refused", "credits.low")
"""Types whose last word is the app under which it happened; ``system`` where it happened under none."""
OF_THE_SYSTEM: Final = (
    "credits.granted",
    "credits.adjusted",
    "credits.expired",
    "credits.purchased",
    "credits.clawed_back",
    "credits.disputed",
    "credits.topup_failed",
    "user.registered",
    "user.verified",
    "user.banned",
    "user.unbanned",
    "user.deleted",
    "session.revoked",
)
"""Types whose last word is always ``system``: those that need the permission ``admin``."""
TYPES: Final = (*OF_APPS, *OF_THE_SYSTEM)
_SYSTEM: Final = "system"
_APP: Final = re.compile("[A-Za-z0-9_-]{1,64}")
_ANY_APP: Final = "any-app"


def known(types: Collection[str] | None) -> Collection[str] | None:
    """The types, each of which there is. Raises ``ValueError``: nothing would ever come, and nobody would be told."""
    if types is None:
        return None
    if isinstance(types, str) or not types:
        raise ValueError("types: name some, as a list, or leave it out for all")
    if unknown := sorted(set(types) - set(TYPES)):
        raise ValueError(f"types: there are no events {', '.join(unknown)}; there are {', '.join(TYPES)}")
    return types


def own(types: Collection[str] | None, app: str) -> list[str]:
    """The topics of these types, of all where none is named: of what happens under the app, where it can."""
    if types is None:
        return [f"#.{app}"]
    return [f"{type_}.{app if type_ in OF_APPS else _SYSTEM}" for type_ in types]


def matching(topics: Collection[str], types: Collection[str] | None) -> Collection[str]:
    """The topics, each of which can be met by an event, and by which every one of these types can come.

    Raises ``ValueError``.
    """
    if isinstance(topics, str) or not topics:
        raise ValueError("topics: name some, as a list, or leave it out for the app's own")
    for topic in topics:
        if not any(_is_met(topic, type_) for type_ in TYPES):
            raise ValueError(
                f"topics: no event has {topic!r}; they are TYPE.APP, such as credits.used.chat, and end in"
                f" {_SYSTEM} but for {', '.join(OF_APPS)}"
            )
    for type_ in types or ():
        if not any(_is_met(topic, type_) for topic in topics):
            raise ValueError(f"types: by none of these topics comes {type_}")
    return topics


def _is_met(topic: str, type_: str) -> bool:
    """Whether any event of the type has a routing key that the topic stands for."""
    pattern = topic.split(".")
    return any(_fits(pattern, [*type_.split("."), app]) for app in _apps(pattern[-1], type_))


def _apps(last: str, type_: str) -> Iterator[str]:
    """Last words that events of the type may have: as many as there are apps, but the topic names one at most."""
    yield _SYSTEM
    if type_ in OF_APPS:
        yield last if _APP.fullmatch(last) else _ANY_APP


def _fits(pattern: Sequence[str], words: Sequence[str]) -> bool:
    if not pattern:
        return not words
    first, rest = pattern[0], pattern[1:]
    if first == "#":
        return any(_fits(rest, words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and first in {"*", words[0]} and _fits(rest, words[1:])
