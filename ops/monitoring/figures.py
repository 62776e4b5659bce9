"""Figures as people read them, and the lines that a plot has for them."""

import math
from datetime import UTC, datetime

_TIMES = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (0.001, "ms"), (0.000001, "µs"))
_BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_NUMBERS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))
_STEPS = (1, 2, 2.5, 5, 10)


def written(value: float, unit: str) -> str:
    """A figure in one of the units that our dashboards have."""
    match unit:
        case "s":
            return _in(value, _TIMES, "s", " ")
        case "bytes":
            return _in(value, _BYTES, "B", " ")
        case "percentunit":
            return f"{_short(100 * value)} %"
        case "reqps":
            return f"{_in(value, _NUMBERS, '', '')}/s"
        case _:
            return _in(value, _NUMBERS, "", "")


def ticks(highest: float, unit: str, at_most: int = 4) -> list[float]:
    """Figures from 0 to the first that is not below the highest, round in their unit; the last is the upper edge."""
    if highest <= 0:
        return [0.0, 1.0]
    size = next((size for size, _ in _BYTES if highest >= size), 1) if unit == "bytes" else 1
    rough = highest / size / at_most
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = size * next(factor * magnitude for factor in _STEPS if factor * magnitude >= rough * (1 - 1e-9))
    return [number * step for number in range(math.ceil(highest / step - 1e-9) + 1)]


def clock(at: float) -> str:
    """The time of day, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def _in(value: float, units: tuple[tuple[float, str], ...], otherwise: str, gap: str) -> str:
    for size, name in units:
        if abs(value) >= size:
            return f"{_short(value / size)}{gap}{name}"
    return f"{_short(value)}{gap if otherwise else ''}{otherwise}"


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
