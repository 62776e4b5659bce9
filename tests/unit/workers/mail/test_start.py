"""A mail worker whose mails would go nowhere, or not safely, does not start, and says why."""

from __future__ import annotations

import subprocess

import pytest

from ops.programs import python, run_environment

ENVIRONMENT = {"DATABASE_URL": "postgresql://mail@127.0.0.1:1/mana", "AMQP_URL": "amqp://mail@127.0.0.1:1/"}


@pytest.mark.checklist(62)
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "SMTP_URL: is not set, and in production mails must be sent"),
        ({"SMTP_URL": "smtp://mail.example.com?starttls=no"}, "SMTP_URL: in production mails are not sent unencrypted"),
        ({"MANA_ENVIRONMENT": "development"}, "MAIL_FOLDER: neither it nor SMTP_URL is set"),
    ],
)
def test_it_is_refused(settings: dict[str, str], told: str) -> None:
    ended = subprocess.run(
        python("workers.mail"),
        env=run_environment({**ENVIRONMENT, **settings}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(told)
    assert len(ended.stderr.splitlines()) == 1
