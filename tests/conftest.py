"""For every test: nothing of Mana's settings leaks in from the surroundings, and Hypothesis has its profiles.

The environment is cleaned when this module is imported, which is before any test module can read it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ("tests.checklist.recording",)

# The public settings, by name or by the prefix that they share.
_SETTINGS = (
    "AMQP_URL",
    "CORS_ORIGINS",
    "CREDITS_",
    "DATABASE_",
    "EMAIL_VERIFY_EXPIRY",
    "EVENTS_LOG_",
    "JWT_",
    "MAIL_",
    "MANA_",
    "REFUSALS_EXPIRY",
    "ENDED_SESSIONS_EXPIRY",
    "BACKUP_WAL_DIR",
    "DEAD_LETTERS_AGE",
    "METRICS_PORT",
    "MONITORING_INTERVAL",
    "PASSWORD_HASH_THREADS",
    "PASSWORD_RESET_EXPIRY",
    "PORT",
    "PUBLIC_URL",
    "RABBITMQ_",
    "RATE_LIMIT_",
    "RECENT_SIGN_IN",
    "REDIS_",
    "REFRESH_GRACE_SECONDS",
    "SECURITY_EVENTS_EXPIRY",
    "SESSIONS_MAX",
    "SESSION_EXPIRY",
    "SITE_NAME",
    "SMTP_",
    "STRIPE_",
    "SUBSCRIBER_QUEUE_",
    "TRUSTED_PROXIES",
    "TWO_FACTOR_WINDOW",
)
_KEPT = ("MANA_TEST_",)
"""What a test run itself is told by."""


def _scrub() -> None:
    for name in list(os.environ):
        if name.startswith(_SETTINGS) and not name.startswith(_KEPT):
            del os.environ[name]


_scrub()


_DAY = 86_400.0
_LAST_SECONDS = 45.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """No test begins in the last seconds of a day (UTC): who was opened before midnight has free credits of the next
    day after it. That is waited for before a test's own time begins to count."""
    left = _DAY - time.time() % _DAY
    if left < _LAST_SECONDS:
        time.sleep(left + 1)
    return (yield)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pgbouncer", action="store_true", help="the fronts of tests/integration/api go through PgBouncer"
    )
    parser.addoption("--given", metavar="FILE", help="tests/integration use, and empty, the servers that it names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On given servers, without those tests that need servers of their own."""
    if config.getoption("--given"):
        apart = [item for item in items if item.get_closest_marker("own_servers")]
        config.hook.pytest_deselected(items=apart)
        items[:] = [item for item in items if item not in apart]


# Machines that test are shared: an example that waits for its turn is no defect, so there are no deadlines.
_UNHURRIED = (HealthCheck.too_slow,)
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100, suppress_health_check=_UNHURRIED)
settings.register_profile("dev", deadline=None, max_examples=100, suppress_health_check=_UNHURRIED)
settings.register_profile("long", deadline=None, max_examples=5_000, suppress_health_check=_UNHURRIED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
