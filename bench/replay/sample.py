"""A made-up trace in the shape of a real one: arrivals at random, token counts log-normal, the same for each seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from bench.replay.trace import COLUMNS

_SEED: Final = 20231116
_START: Final = datetime(2023, 11, 16, 18, 15, 46)  # noqa: DTZ001 -- the column holds no zone
_REQUESTS_PER_SECOND: Final = 5.5

# Means and deviations of the logarithms in Azure's public conversation trace of 2023, and its largest counts, rounded.
_CONTEXT_LOG_MEAN, _CONTEXT_LOG_DEVIATION, _CONTEXT_MAX = 6.63, 0.99, 14_000
_GENERATED_LOG_MEAN, _GENERATED_LOG_DEVIATION, _GENERATED_MAX = 5.02, 0.86, 1_000


def lines(requests: int) -> Iterator[str]:
    """CSV text, line by line, of as many requests."""
    chance = random.Random(_SEED)
    moment = _START
    yield ",".join(COLUMNS) + "\n"
    for _ in range(requests):
        moment += timedelta(seconds=chance.expovariate(_REQUESTS_PER_SECOND))
        context = _tokens(chance, _CONTEXT_LOG_MEAN, _CONTEXT_LOG_DEVIATION, _CONTEXT_MAX)
        generated = _tokens(chance, _GENERATED_LOG_MEAN, _GENERATED_LOG_DEVIATION, _GENERATED_MAX)
        yield f"{moment.isoformat(sep=' ', timespec='microseconds')},{context},{generated}\n"


def write(path: Path, requests: int) -> None:
    """Makes a file of it. Raises ``BenchError`` where there is one already: it may be somebody's own trace."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(lines(requests))
    except FileExistsError as error:
        raise BenchError(f"{path} exists already: leave out --sample to charge it.") from error
    except OSError as error:
        raise BenchError(f"{path} cannot be written: {error.strerror}.") from error


def _tokens(chance: random.Random, log_mean: float, log_deviation: float, most: int) -> int:
    return max(1, min(most, round(chance.lognormvariate(log_mean, log_deviation))))
