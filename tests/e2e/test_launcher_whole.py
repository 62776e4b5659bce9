"""The whole service by ./mana: the demo, deaths and their repair, a port that is taken, the drain.

In a home that only root may enter, as pytest's temporary folders are: its servers must reach their data all the same.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import pytest

from ops import ports
from ops.servers.prometheus import alerts_page
from tests.e2e import checkout
from tests.e2e.browser import browsing
from tests.e2e.sockets import is_on_loopback_only, listeners
from tests.e2e.starter import Starter
from tests.integration.api.users import sign_up

pytestmark = pytest.mark.timeout(240)

OURS = ("api", "relay", "clock", "mail", "apps", "payments", "worker-0", "worker-1", "usage")
NAMES = {"epmd", "postgres", "rabbitmq", "redis", "stripe", "prometheus", "alertmanager", *OURS}
OTHERS = ("api", "relay", "clock", "mail", "apps", "payments", "usage", "rabbitmq", "postgres")


@pytest.fixture(scope="module")
def taken() -> Generator[int]:
    """A port that somebody else listens on."""
    port = ports.choose(None, ())
    with socket.create_server(("127.0.0.1", port)):
        yield port


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, taken: int) -> Generator[Starter]:
    folder = tmp_path_factory.mktemp("whole")
    folder.chmod(0o700)
    starter = Starter(folder / "home")
    try:
        said = starter.must(
            "up", "--detach", "--demo", "--monitoring", "--workers", "2", "--partitions", "8", PORT=str(taken)
        )
        assert "spent by REST  -1, balance 150 → 149" in said
        assert "spent by AMQP  -1, balance 149 → 148" in said
        assert "bought  +500, balance 148 → 648" in said
        yield starter
    finally:
        starter.must("down", "--purge")


def data_of(starter: Starter) -> Path:
    return Path(json.loads((starter.home / "state.json").read_bytes())["data"])


def eventually(happened: Callable[[], bool], seconds: float = 80.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def all_ready(starter: Starter) -> bool:
    return {entry["state"] for entry in starter.processes().values()} == {"ready"}


def test_everything_is_there_and_ready(whole: Starter) -> None:
    assert set(whole.processes()) == NAMES
    eventually(lambda: all_ready(whole))


def test_what_was_bought_is_compared_with_the_stand_in(whole: Starter) -> None:
    said = whole.must("stripe", "reconcile", "--since", "1h", "--dry-run")
    assert "Nothing was fed." in said
    assert "no purchase" not in said


def test_a_taken_port_is_replaced_by_the_next_free_one(whole: Starter, taken: int) -> None:
    port = httpx.URL(whole.env()["MANA_API_URL"]).port
    assert port is not None
    assert taken < port < 32_768
    assert whole.processes()["api"]["url"] == whole.env()["MANA_API_URL"]


def test_every_metrics_address_answers(whole: Starter) -> None:
    addresses = whole.env()["MANA_METRICS_URLS"].split(",")
    assert len(addresses) == len(OURS)
    for address in addresses:
        assert httpx.get(address, timeout=40).status_code == 200


def test_what_watches_is_said_and_draws_what_it_has_seen(whole: Starter, tmp_path: Path) -> None:
    assert f"watching  {alerts_page(whole.env()['MANA_PROMETHEUS_URL'])}" in whole.must("up", "--detach")
    whole.must("monitoring", "draw", "--to", str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "auth.svg", "index.html", "ledger.svg", "overview.svg", "payments.svg",
    ]  # fmt: skip


def test_nothing_listens_beyond_loopback(whole: Starter) -> None:
    for entry in whole.processes().values():
        assert is_on_loopback_only(entry["pid"]), (entry["name"], listeners(entry["pid"]))


def test_our_processes_have_no_rights_of_roots(whole: Starter) -> None:
    running = whole.processes()
    for name in (*OURS, "stripe"):
        status = Path(f"/proc/{running[name]['pid']}/status").read_text()
        rights = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert rights["NoNewPrivs"] == "1", name
        assert int(rights["CapEff"], 16) == 0, name


def test_the_data_lies_where_the_servers_can_reach_it(whole: Starter) -> None:
    inside = (whole.home / "data").exists()
    assert inside == (os.geteuid() != 0)
    assert (data_of(whole) / "postgres").exists()


@pytest.mark.parametrize("name", ["worker-0", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_what_is_killed_is_started_again_and_all_is_well(whole: Starter, name: str) -> None:
    before, url = (whole.processes()[name][key] for key in ("pid", "url"))
    os.kill(before, signal.SIGKILL)
    if url.startswith("http"):  # ours: its port is kept for it, so whoever asks now is answered by the next life
        assert httpx.get(f"{url}/health/live", timeout=40).status_code == 200
    eventually(lambda: whole.processes()[name]["pid"] not in (before, None))
    eventually(lambda: all_ready(whole))
    assert whole.processes()[name]["url"] == url
    assert httpx.get(whole.env()["MANA_API_URL"] + "/health/ready", timeout=40).status_code == 200


async def test_a_package_is_bought_in_a_browser(whole: Starter) -> None:
    """The whole way: the page is clicked through, the webhook comes, and the credits are there."""
    async with httpx.AsyncClient(base_url=whole.env()["MANA_API_URL"], timeout=40) as http, browsing() as page:
        user = await sign_up(http)
        package = (await checkout.read(http, user, "packages"))[0]
        purchase, url = await checkout.begun(http, user, package["id"])
        assert purchase["status"] == "pending"
        await checkout.click_through(page, url, f"{package['priceEuroCents'] / 100:.2f} EUR")
        paid = await checkout.completed(http, user, purchase["id"])
        assert (paid["credits"], paid["debt"]) == (package["credits"], 0)
        assert (await checkout.read(http, user, "balance"))["balance"] == package["credits"]
        bought = [one for one in await checkout.read(http, user, "transactions") if one["type"] == "purchase"]
        assert [one["id"] for one in bought] == [purchase["id"]]


def test_a_new_signing_key_is_published(whole: Starter) -> None:
    kid = whole.must("keys", "rotate").split()[1]
    published = f"{whole.env()['MANA_API_URL']}/.well-known/jwks.json"
    eventually(lambda: kid in {key["kid"] for key in httpx.get(published, timeout=40).json()["keys"]})


def test_after_all_that_the_ledger_is_clean_and_a_credit_is_spent(whole: Starter) -> None:
    whole.must("verify")
    assert "spent by AMQP" in whole.must("up", "--detach", "--demo")


def test_down_drains_and_leaves_nobody(whole: Starter) -> None:
    """The last one: it stops everything. The workers are asked, and not killed."""
    running = whole.processes()
    data = data_of(whole)
    whole.must("down")
    assert not any(Path(f"/proc/{entry['pid']}").exists() for entry in running.values())
    log = whole.must("logs", "supervisor")
    assert ": killed" not in log
    ends = [line.split(" ended")[0].rsplit(" ", 1)[-1] for line in log.splitlines() if " ended, " in line]
    ends = ends[-len(running) :]
    assert ends[:6] == ["api", "relay", "clock", "mail", "apps", "payments"]
    assert set(ends[6:8]) == {"worker-0", "worker-1"}
    assert ends[8:10] == ["usage", "stripe"]
    assert ends[-1] == "epmd"
    whole.must("down", "--purge")
    assert not data.exists()
