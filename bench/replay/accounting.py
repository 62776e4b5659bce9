"""The accounting of a replay: what was asked, what was charged, and whether the credits before and after agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.books import Books
from bench.errors import BenchError
from contracts.errors import Error
from contracts.replies import Balance, ReplyView


@dataclass
class Tally:
    """Requests and credits by their answers; amounts as the ledger's replies say, not as they were asked for."""

    charged: int = 0
    credits_charged: int = 0
    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    credits_refused: int = 0

    def take(self, asked: int, reply: ReplyView) -> None:
        """Counts one answered request that asked for so many credits."""
        if isinstance(reply.error, Error):
            self.refused[reply.error.code] += 1
            self.credits_refused += asked
            return
        if reply.transaction is None:
            raise BenchError("A use was answered with ok and without a transaction.")
        self.charged += 1
        self.credits_charged -= reply.transaction.amount
        self.replayed += reply.replayed


@dataclass(frozen=True)
class Credits:
    """What the users of the run hold and have earned, all together."""

    held: int
    earned: int

    @classmethod
    def of(cls, balances: list[Balance]) -> Credits:
        """Sums up."""
        held = sum(balance.balance + balance.free_credits_remaining for balance in balances)
        return cls(held, sum(balance.total_earned for balance in balances))


@dataclass(frozen=True)
class Accounting:
    """All figures of a finished replay; ``books`` where the database was asked too."""

    requests: int
    credits_asked: int
    tally: Tally
    before: Credits
    after: Credits
    books: Books | None

    @property
    def granted(self) -> int:
        """Credits that came in during the run: the daily ones, where it went on over midnight (UTC)."""
        return self.after.earned - self.before.earned

    def faults(self) -> Iterator[str]:
        """What does not close, a sentence each."""
        tally = self.tally
        answered = tally.charged + tally.refused.total()
        if answered != self.requests:
            yield f"{self.requests} requests were sent, but {answered} answered."
        if tally.credits_charged + tally.credits_refused != self.credits_asked:
            yield (
                f"{self.credits_asked} credits were asked for, but {tally.credits_charged} charged"
                f" and {tally.credits_refused} refused."
            )
        expected = self.before.held + self.granted - tally.credits_charged
        if expected != self.after.held:
            yield f"The users should hold {expected} credits, but hold {self.after.held}."
        if self.books is not None:
            yield from self._faults_of(self.books)

    def _faults_of(self, books: Books) -> Iterator[str]:
        tally = self.tally
        if books.held != self.after.held:
            yield f"The replies say that {self.after.held} credits are left, the database says {books.held}."
        if (books.usages, books.credits_used) != (tally.charged, tally.credits_charged):
            yield (
                f"{tally.charged} requests were answered as charged with {tally.credits_charged} credits,"
                f" but the database holds {books.usages} usages of {books.credits_used} credits."
            )
