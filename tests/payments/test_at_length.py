"""As many histories as patience lasts, by each policy of refunds."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from ops.instance import Instance
from tests.faults.servers import private_servers
from tests.integration.workers.running import PARTITIONS
from tests.payments.expecting import RefundPolicy
from tests.payments.playing import Play
from tests.payments.stage import staged


@pytest.fixture
def servers() -> Generator[Instance]:
    """Of its own: the package's stage goes on, and its worker would ask another stand-in for Stripe of what is told."""
    with private_servers(partitions=PARTITIONS, name="payments-at-length") as instance:
        yield instance


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(("policy", "seeds"), [("debt", range(101, 105)), ("write_off", range(201, 205))])
async def test_a_thousand_histories(
    servers: Instance, tmp_path: Path, policy: RefundPolicy, seeds: Iterable[int]
) -> None:
    async with staged(servers, tmp_path, policy=policy) as stage:
        for seed in seeds:
            twice = [
                (0.2, stage.kill_payments),
                (0.4, stage.kill_ledger),
                (0.6, stage.kill_payments),
                (0.8, stage.kill_ledger),
            ]
            once = [(0.3, stage.kill_ledger), (0.6, stage.kill_payments)]
            played = await Play(stage, seed).histories(250, {1: twice, 2: twice, 3: once})
            print(policy, played)
            assert not played.complaints, str(played)
