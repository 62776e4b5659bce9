"""The lines that every process of ours logs, its libraries' among them: docs/reference/logs.md has their fields."""

from __future__ import annotations

import logging
import sys
from typing import Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Format = Literal["auto", "json", "text"]
"""``json``: an object per line, for machines. ``text``: for eyes. ``auto``: text where the output is a terminal."""

_QUIET: Final = {
    # It shouts about each lost connection, with a traceback; we say it ourselves, once.
    "aiormq": logging.CRITICAL,
    # It tells of each request, twice, and of each try again.
    "stripe": logging.WARNING,
}


def configure(process: str, level: Level, wanted: Format = "auto", stream: TextIO | None = None) -> None:
    """Once, at the start; every line carries the process's name, and goes to standard output where no other stream is
    given."""
    output = sys.stdout if stream is None else stream
    as_text = wanted == "text" or (wanted == "auto" and output.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _of(process),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if not as_text:
        shared.append(structlog.processors.format_exc_info)
    structlog.configure(
        # What is below the level is dropped before anything else is done with it.
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    rendering: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        _console(output) if as_text else structlog.processors.JSONRenderer(),
    ]
    handler = logging.StreamHandler(output)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=rendering))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(quiet)


def _of(process: str) -> Processor:
    """Not bound to the context: libraries' threads have none of ours."""

    def name(_logger: object, _method: str, event: EventDict) -> EventDict:
        event.setdefault("process", process)
        return event

    return name


def _console(output: TextIO) -> Processor:
    """Tracebacks without the values of variables, of which some are secrets; texts as Python writes them, since what
    clients send could steer a terminal."""
    return structlog.dev.ConsoleRenderer(
        colors=output.isatty(), repr_native_str=True, exception_formatter=structlog.dev.plain_traceback
    )
