"""Logs as JSON lines on standard output, ours and the libraries'."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(process: str, level: str) -> None:
    """Once, at the start; every line carries the process's name."""
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # The library shouts about each lost connection, with a traceback; we say it ourselves, once.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    # It tells of each request, twice, and of each try again.
    logging.getLogger("stripe").setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(process=process)
