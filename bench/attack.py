"""`python -m bench attack`: an attacker's hour in minutes, and whether the owners of the accounts still get in.

The attacker has many addresses, each in a network of its own, and guesses at all accounts by turns, as fast as he is
answered. The limits are those of production. Owners have signed in before, from devices that the service knows.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import uvloop
from rich.console import Console

from api.throttle.classes import ACCOUNT
from bench.errors import BenchError
from bench.from_address import FromAddress
from bench.machine import look
from bench.results import Goal, Report, wide_console
from bench.scrape import scrape
from ops.instance import UNHINDERED, Instance, private
from tests.faults.oracle.client import in_flight

_OF_PRODUCTION: Final = dict.fromkeys(UNHINDERED, "")
_REGISTRATIONS: Final = 10
"""Of one address in an hour."""
_AT_ONCE_PREPARING: Final = 16
_TRIES_MAX: Final = 60
_RIGHT, _WRONG, _LIMITED, _BUSY = 200, 401, 429, 503
_HASHES: Final = "mana_password_hashes"
_LATE: Final = "mana_limits_redis_failures_total"


@dataclass(frozen=True)
class Options:
    """``at_once`` guesses are under way at a time."""

    addresses: int
    attempts: int
    accounts: int
    at_once: int


@dataclass(frozen=True)
class Owner:
    """Somebody with an account, an address of his own and a device."""

    number: int

    @property
    def address(self) -> str:
        """Where he signs in from."""
        return f"127.200.{self.number // 250}.{self.number % 250 + 1}"

    @property
    def credentials(self) -> dict[str, str]:
        """What he signs in with."""
        return {"email": f"owner-{self.number}@attack.example", "password": f"a long secret of number {self.number}"}

    def device(self, name: str = "known") -> dict[str, str]:
        """What his client calls his device."""
        return {"deviceId": f"{name}-device-of-{self.number}-5f0b1c"}


@dataclass(frozen=True)
class Outcome:
    """What became of the attack: guesses by status, seconds, hashes that were begun for whomever; and how often Redis
    was late, so that the front counted by itself for a second."""

    guesses: Counter[int]
    seconds: float
    hashes: int
    late: int


def main(arguments: list[str]) -> int:
    """Attacks, prints, keeps the figures; the exit status: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(prog="mana bench attack", description="Guesses at passwords from everywhere.")
    parser.add_argument("--addresses", type=int, default=2_000)
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--at-once", type=int, default=48)
    options, console = Options(**vars(parser.parse_args(arguments))), wide_console()
    console.print("starting a private instance, with the limits of production")
    with private(workers=1, name="bench", environment=_OF_PRODUCTION) as instance:
        report = uvloop.run(_run(instance, options, console))
    report.show(console)
    console.print(f"kept in {report.save().name}")
    return report.status


async def _run(instance: Instance, options: Options, console: Console) -> Report:
    url = instance.env["MANA_API_URL"]
    owners = [Owner(number) for number in range(options.accounts)]
    console.print(f"{len(owners)} owners register, and sign in from their devices")
    await _register(url, owners)
    before = await _all_sign_in(url, owners)
    if min(before) < 1:
        raise BenchError("an owner could not sign in before the attack")
    console.print(f"{options.attempts:,} guesses from {options.addresses:,} addresses")
    attack = asyncio.create_task(_attack(url, owners, options))
    meanwhile = await _while_it_lasts(url, owners, attack)
    outcome = await attack
    after = await _all_sign_in(url, owners)
    unknown = await in_flight(
        _AT_ONCE_PREPARING, (partial(_guess_right_from_elsewhere, url, owner) for owner in owners[:100])
    )
    return Report(
        bench="attack",
        machine=await look(instance.env),
        settings=asdict(options),
        rows=[],
        conclusions=_conclude(outcome, meanwhile, after, unknown, options),
        goals=_goals(outcome, meanwhile, after, options),
    )


async def _register(url: str, owners: list[Owner]) -> None:
    async def several(number: int, members: list[Owner]) -> None:
        async with FromAddress.connected(url, f"127.210.{number // 250}.{number % 250 + 1}") as client:
            for owner in members:
                answer = await client.post("/auth/register", owner.credentials)
                if answer.status != 201:
                    raise BenchError(f"The front answered a registration with {answer.status}: {answer.body}")

    groups = [owners[start : start + _REGISTRATIONS] for start in range(0, len(owners), _REGISTRATIONS)]
    await in_flight(_AT_ONCE_PREPARING, (partial(several, number, members) for number, members in enumerate(groups)))


async def _all_sign_in(url: str, owners: list[Owner]) -> list[int]:
    """From their own devices; after how many tries each was in."""
    return await in_flight(_AT_ONCE_PREPARING, (partial(_sign_in, url, owner, owner.device()) for owner in owners))


async def _sign_in(url: str, owner: Owner, device: dict[str, str]) -> int:
    """After how many tries an owner is in: the service may be busy, and says so; 0 where he was refused, or never."""
    async with FromAddress.connected(url, owner.address) as client:
        for number in range(1, _TRIES_MAX + 1):
            answer = await client.post("/auth/login", {**owner.credentials, **device})
            if answer.status == _RIGHT:
                return number
            if answer.status != _BUSY:
                return 0
            await asyncio.sleep(1)
    return 0


async def _guess_right_from_elsewhere(url: str, owner: Owner) -> bool:
    """Whether the right password is enough behind the attack, from a device that nobody knows."""
    return await _sign_in(url, owner, owner.device("new")) > 0


async def _attack(url: str, owners: list[Owner], options: Options) -> Outcome:
    """Each address takes its share of the guesses, at one account after the other."""
    guesses, before, began = Counter[int](), await scrape(url), time.monotonic()
    targets = itertools.cycle(owners)
    share = math.ceil(options.attempts / options.addresses)

    async def from_one(number: int) -> None:
        async with FromAddress.connected(url, f"127.{number // 250 + 1}.{number % 250}.1") as client:
            for turn in range(min(share, options.attempts - number * share)):
                email = next(targets).credentials["email"]
                body = {"email": email, "password": f"guess {number} {turn} of many"}
                guesses[(await client.post("/auth/login", body)).status] += 1

    await in_flight(options.at_once, (partial(from_one, number) for number in range(options.addresses)))
    seconds, after = time.monotonic() - began, await scrape(url)
    return Outcome(guesses, seconds, _more(before, after, _HASHES), _more(before, after, _LATE))


async def _while_it_lasts(url: str, owners: list[Owner], attack: asyncio.Task[Outcome]) -> list[int]:
    """One owner after the other signs in; after how many tries each was in."""
    tries = list[int]()
    for owner in itertools.cycle(owners):
        if attack.done():
            return tries
        tries.append(await _sign_in(url, owner, owner.device()))
        await asyncio.wait({attack}, timeout=1)
    return tries


def _more(before: Mapping[str, float], after: Mapping[str, float], metric: str) -> int:
    """By how much a metric has grown."""
    if metric not in before or metric not in after:
        raise BenchError(f"the front does not tell {metric}")
    return int(after[metric] - before[metric])


def _conclude(
    outcome: Outcome, meanwhile: list[int], after: list[int], unknown: list[bool], options: Options
) -> dict[str, Any]:
    guesses = outcome.guesses
    sent = guesses.total()
    return {
        "guesses": f"{sent:,} in {outcome.seconds:,.0f} s: {sent / outcome.seconds:,.0f} per second",
        "looked at, too many, busy": f"{guesses[_WRONG]:,}, {guesses[_LIMITED]:,}, {guesses[_BUSY]:,} (401, 429, 503)",
        "by account": f"{guesses[_WRONG] / options.accounts:.2f} guesses were looked at",
        "hashes begun meanwhile": f"{outcome.hashes:,}, those of {len(meanwhile):,} sign-ins of owners with them",
        "Redis was late": f"{outcome.late:,} times: the front counted by itself for a second then",
        "owners meanwhile": f"{sum(tries > 0 for tries in meanwhile):,} of {len(meanwhile):,} got in,"
        f" after {max(meanwhile, default=0)} tries at most",
        "owners afterwards": f"{sum(tries > 0 for tries in after):,} of {len(after):,} got in",
        "right password, unknown device": f"{sum(unknown):,} of {len(unknown):,} got in behind it",
    }


def _goals(outcome: Outcome, meanwhile: list[int], after: list[int], options: Options) -> list[Goal]:
    first = ACCOUNT.first_delay.total_seconds()
    waited = math.floor(math.log2(outcome.seconds / first + 1))
    places = 2 if outcome.late else 1
    allowed = places * options.accounts * (ACCOUNT.free + waited)
    inside = [*meanwhile, *after]
    why = f": {ACCOUNT.free + waited} at each account, counted in {places} places"
    return [
        Goal.at_least("guesses that were sent", outcome.guesses.total(), options.attempts),
        Goal.at_most(
            "guesses that reached the hasher", outcome.hashes - sum(each > 0 for each in meanwhile), allowed, why
        ),
        Goal.at_least("owners who got in, of all who tried", sum(each > 0 for each in inside) / len(inside), 1),
    ]
