"""Traces: what a line costs, and what is said of a file that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.replay import sample, trace

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


@pytest.mark.parametrize(
    ("context", "generated", "credits_due"),
    [(1, 0, 1), (0, 1, 1), (999, 1, 1), (1000, 1, 2), (374, 44, 1), (14_000, 1_000, 15), (14_050, 1_000, 16)],
)
def test_each_started_thousand_of_tokens_is_a_credit(context: int, generated: int, credits_due: int) -> None:
    assert trace.price(context, generated) == credits_due


def test_lines_become_requests_with_their_distance_in_time() -> None:
    text = HEADER + "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,1109\n\n"
    first, second = trace.parse(text.splitlines(keepends=True), "a trace")
    assert (first.line, first.at, first.credits) == (2, 0.0, 1)
    assert (second.line, second.credits) == (3, 2)
    assert second.at == pytest.approx(4.314579, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must begin with"),
        ("a,b,c\n1,2,3\n", "must begin with"),
        (HEADER, "holds no request"),
        (HEADER + "2023-11-16 18:15:46,1\n", "Line 2 .* 2 columns"),
        (HEADER + "2023-11-16 18:15:46,1,2\nyesterday,1,2\n", "Line 3 .*yesterday"),
        (HEADER + "2023-11-16 18:15:46,-1,2\n", "less than no tokens"),
        (HEADER + "2023-11-16 18:15:46,1.5,2\n", "Line 2"),
        (HEADER + "2023-11-16 18:15:46,0,0\n", "no amount"),
        (HEADER + "2023-11-16 18:15:46,9999999999999,0\n", "no amount"),
        (HEADER + "2023-11-16 18:15:46,1,1\n2023-11-16 18:15:46+00:00,1,1\n", "Line 3"),
        (HEADER + "2023-11-16 18:15:46,\0,1\n", "Line 2"),
    ],
)
def test_a_bad_file_is_told_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "trace.csv").write_text(text)
    with pytest.raises(BenchError, match=said) as told:
        trace.read(tmp_path / "trace.csv")
    assert "\n" not in str(told.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "none.csv", tmp_path / "binary"):
        with pytest.raises(BenchError):
            trace.read(path)


def test_a_sample_is_a_trace_and_always_the_same(tmp_path: Path) -> None:
    requests = trace.parse(sample.lines(1_000), "the sample")
    assert len(requests) == 1_000
    assert requests == trace.parse(sample.lines(1_000), "the sample")
    assert [one.at for one in requests] == sorted(one.at for one in requests)
    assert 1.5 < sum(one.credits for one in requests) / len(requests) < 2.5
    sample.write(tmp_path / "sample.csv", 1_000)
    assert trace.read(tmp_path / "sample.csv") == requests
    with pytest.raises(BenchError, match="exists already"):
        sample.write(tmp_path / "sample.csv", 5)
