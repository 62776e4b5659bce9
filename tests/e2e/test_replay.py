"""The replay charges a trace through the queue: every request answered, the accounting closed, the ledger whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from ops.instance import Instance

CHECKOUT = Path(__file__).parents[2]
TRACE = CHECKOUT.parent / "shared" / "data" / "AzureLLMInferenceTrace_conv.csv"
"""A real trace, where it lies beside the checkout."""
_REAL_REQUESTS, _REAL_CREDITS = 2_000, 3_847
_SECONDS = 100.0


def _run(instance: Instance, module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], **instance.env, **environment},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def _figures(summary: str) -> dict[str, int]:
    """The summary's lines that stand once, by name."""
    lines = re.findall(r"^(\D+?) +([\d,]+)(?:  |$)", summary, re.MULTILINE)
    return {name: int(figure.replace(",", "")) for name, figure in lines}


@pytest.fixture
def trace(tmp_path: Path) -> tuple[Path, int | None]:
    """The first lines of the real trace with the credits that they ask for, or a made-up one."""
    file = tmp_path / "trace.csv"
    if TRACE.exists():
        with TRACE.open(encoding="utf-8") as lines:
            file.write_text("".join(islice(lines, _REAL_REQUESTS + 1)), encoding="utf-8")
        return file, _REAL_CREDITS
    return file, None


def test_a_trace_is_charged_to_the_last_credit(instance: Instance, trace: tuple[Path, int | None]) -> None:
    file, credits_asked = trace
    made_up = () if credits_asked is not None else ("--sample", "1000")
    # Few users: the busiest run out of credits, so that refusals are in the accounting too.
    done = _run(instance, "bench.replay", str(file), "--users", "20", "--speed", "max", *made_up)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "The accounting closes." in done.stdout
    figures = _figures(done.stdout)
    assert figures["requests sent"] == (_REAL_REQUESTS if credits_asked is not None else 1_000)
    assert credits_asked in {None, figures["credits asked for"]}
    assert figures["charged"] + figures.get("refused", 0) == figures["requests sent"]
    assert figures["credits before"] - figures["credits charged"] == figures["credits after"]
    assert figures["after, by database"] == figures["credits after"]


def test_refusals_are_part_of_the_accounting(instance: Instance) -> None:
    done = _run(instance, "bench.replay", "--sample", "300", "--users", "2")
    assert done.returncode == 0, done.stderr + done.stdout
    assert re.search(r"^refused +\d+  insufficient_credits$", done.stdout, re.MULTILINE)


def test_a_trace_may_be_followed_at_its_own_pace(instance: Instance) -> None:
    done = _run(instance, "bench.replay", "--sample", "100", "--users", "5", "--speed", "20")
    assert done.returncode == 0, done.stderr + done.stdout
    assert _figures(done.stdout)["requests sent"] == 100


def test_the_ledger_is_whole_afterwards(instance: Instance) -> None:
    done = _run(instance, "workers.ledger.audit", DATABASE_URL=instance.env["MANA_DATABASE_OWNER_URL"])
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give a trace"),
        (("no-such.csv",), "cannot be read"),
        ((str(CHECKOUT / "README.md"),), "must begin with"),
    ],
)
def test_what_is_no_trace_is_told_in_one_sentence(instance: Instance, arguments: tuple[str, ...], said: str) -> None:
    done = _run(instance, "bench.replay", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_service_is_told_in_one_sentence(instance: Instance) -> None:
    done = _run(instance, "bench.replay", "--sample", "1", MANA_AMQP_URL="amqp://127.0.0.1:1/")
    assert done.returncode == 1
    assert re.fullmatch(r"The replay was given up: the broker at 127\.0\.0\.1:1 cannot be reached: .*\n", done.stderr)
