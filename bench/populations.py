"""Whose accounts a load falls on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import repeat
from typing import Final

_SEED: Final = 31
_BUSY_USERS: Final = 0.1
_BUSY_COMMANDS: Final = 0.9


def uniform(users: list[bytes]) -> Iterator[bytes]:
    """Each user alike, without end."""
    chance = random.Random(_SEED).random
    count = len(users)
    while True:
        yield users[int(chance() * count)]


def skewed(users: list[bytes]) -> Iterator[bytes]:
    """One user in ten gets nine commands in ten, without end."""
    chance = random.Random(_SEED).random
    border = max(1, int(len(users) * _BUSY_USERS))
    busy, idle = users[:border], users[border:] or users
    while True:
        group = busy if chance() < _BUSY_COMMANDS else idle
        yield group[int(chance() * len(group))]


def one(users: list[bytes]) -> Iterator[bytes]:
    """The first user gets all, without end."""
    return repeat(users[0])
