"""The accountant's books (``books/*.txt``): each line of each must come out as it stands there.

Every book is gone through twice: line by line, and with all lines of one moment in one batch.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from tests.unit.ledger.book import Book, Clerk, read_books

BOOKS = [
    pytest.param(book, id=f"{path.stem}: {book.title}")
    for path in sorted(Path(__file__).with_name("books").glob("*.txt"))
    for book in read_books(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("book", BOOKS)
def test_each_line_comes_out_as_it_stands(book: Book) -> None:
    clerk = Clerk()
    came_out = [f"{line.number}: {clerk.do_alone(line)}" for line in book.lines]
    assert came_out == [f"{line.number}: {line.result}" for line in book.lines]


@pytest.mark.parametrize("book", BOOKS)
def test_the_lines_of_one_moment_may_come_as_one_batch(book: Book) -> None:
    alone = Clerk()
    for line in book.lines:
        alone.do_alone(line)
    clerk = Clerk(ids=dict(alone.ids))  # a refund may name a usage of its own batch
    for _, moment in groupby(book.lines, key=lambda line: line.time):
        lines = list(moment)
        answers = clerk.do(lines)
        assert answers == [line.answer.split(", ")[-1] for line in lines]
        assert clerk.standing(lines[-1]) == f"{lines[-1].figures} | {lines[-1].lots}"
    assert clerk.ledger.entries == alone.ledger.entries
    assert clerk.ledger.lots == alone.ledger.lots
    assert clerk.ledger.accounts == alone.ledger.accounts
    assert clerk.ledger.refusals == alone.ledger.refusals
