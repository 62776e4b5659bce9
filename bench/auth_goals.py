"""What the rows of `bench auth` come to: shares of what the machine can do at all, and the goals."""

from __future__ import annotations

from typing import Any, Final

from bench.auth_cases import (
    ARGON2,
    BALANCE,
    BALANCE_BESIDE,
    BALANCE_CROWDED,
    BALANCES_LEAST,
    CHECK,
    LOGIN,
    LOGIN_BESIDE,
    LOGIN_CROWDED,
    READ,
    REFRESH,
    SIGN,
    VALIDATE,
    VALIDATE_KNOWN,
    WRITE,
    per_free_core,
)
from bench.cpu import disturbance
from bench.results import Goal, Row

LOGINS: Final = 0.85
"""Of what Argon2id alone can do."""


def goals(rows: list[Row], cores: int, threads: int) -> list[Goal]:
    """How sign-ins fare by the hasher, and readers by the cores that it leaves."""
    rates = _rates(rows)
    told = [
        Goal.at_least("sign-ins / Argon2id alone", rates[LOGIN] / rates[ARGON2], LOGINS),
        Goal.at_least("the same, balances asked for meanwhile", rates[LOGIN_BESIDE] / rates[ARGON2], LOGINS),
    ]
    if threads < cores:
        share = rates[BALANCE_BESIDE] / per_free_core(rates[BALANCE], cores, threads)
        formula = f": meanwhile / (undisturbed / {cores} cores * ({cores} - {threads} hashing threads))"
        told.append(Goal.at_least("balances meanwhile / undisturbed, by free core", share, BALANCES_LEAST, formula))
    return told


def conclude(rows: list[Row]) -> dict[str, Any]:
    """Ratios that explain the goals, and what requests cost beside their least."""
    rates, cpu = _rates(rows), {row.name: _cpu(row) for row in rows}
    told = {
        "both without a pause": f"sign-ins {rates[LOGIN_CROWDED] / rates[ARGON2]:.3f} of Argon2id alone,"
        f" balances {rates[BALANCE_CROWDED] / rates[BALANCE]:.3f} of undisturbed",
        "balances, 99th percentile": ", ".join(
            f"{_p99(rows, name)} ms {when}"
            for name, when in (
                (BALANCE, "undisturbed, without a pause"),
                (BALANCE_BESIDE, "beside sign-ins, asked for meanwhile"),
                (BALANCE_CROWDED, "beside them without a pause"),
            )
        ),
    }
    for name, parts in ((VALIDATE_KNOWN, [READ]), (VALIDATE, [CHECK, READ]), (REFRESH, [SIGN, WRITE])):
        least, cost = least_rate([rates[part] for part in parts]), sum(cpu[part] for part in parts)
        told[name] = (
            f"{rates[name] / least:.3f} of {least:,.0f} per second, the rate of {' and '.join(parts)} in one process;"
            f" {cpu[name]:,.0f} microseconds of CPU, {cpu[name] / cost:.2f} times theirs"
        )
    told["disturbed"] = disturbance(max(row.elsewhere_cores.median for row in rows))
    return told


def least_rate(rates: list[float]) -> float:
    """Of one process that does one after the other, each at its own rate."""
    return 1 / sum(1 / rate for rate in rates)


def _rates(rows: list[Row]) -> dict[str, float]:
    return {row.name: row.per_second.median for row in rows}


def _cpu(row: Row) -> float:
    """Microseconds for each request, of whoever serves it; for what is no request, of ourselves too."""
    served = row.name.startswith(("GET", "POST"))
    return sum(spent.median for part, spent in row.cpu_us.items() if not (served and part == "generator"))


def _p99(rows: list[Row], name: str) -> str:
    [row] = (row for row in rows if row.name == name)
    return str(row.p99_ms)
