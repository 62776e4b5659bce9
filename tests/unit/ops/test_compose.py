"""docker-compose.yml: who is told what, who reaches whom, and what no service may do without."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic_settings import BaseSettings

import api.settings
import workers.apps.settings
import workers.mail.settings
import workers.payments.settings
import workers.settings
import workers.usage.settings
from contracts import settings_file
from ops.backup import archive
from ops.errors import LauncherError
from ops.place import CHECKOUT
from ops.servers import postgres
from ops.settings import Settings as LauncherSettings
from ops.setup import definitions, secret_files
from ops.state import State
from tests.composed import COMPOSED, OURS, SERVICES, environment_of, filled, mounted
from tests.unit.ops import docker

# What `python -m ops.setup secrets` writes for each process, and what the image sets.
ELSEWHERE = {
    *("DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_STATEMENT_CACHE", "AMQP_URL", "REDIS_URL", "REDIS_HOST"),
    *("REDIS_PORT", "REDIS_PASSWORD", "MANA_SECRET_KEY"),
    *("MANA_PARTITIONS", "MANA_ADMIN_LOGINS", "MANA_FRONT_LOGINS", "MANA_SYSTEM_LOGINS", "MANA_BIND_HOST"),
    *("MANA_PAYMENTS_LOGINS", "RABBITMQ_MANAGEMENT_URL"),
    *("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY"),
}
PROCESSES: dict[str, type[BaseSettings]] = {
    "api-1": api.settings.Settings,
    "api-2": api.settings.Settings,
    "relay": api.settings.RelaySettings,
    "worker-1": workers.settings.Settings,
    "worker-2": workers.settings.Settings,
    "clock": workers.settings.ClockSettings,
    "mail": workers.mail.settings.MailSettings,
    "payments": workers.payments.settings.PaymentsSettings,
    "apps": workers.apps.settings.AppsSettings,
    "usage": workers.usage.settings.UsageSettings,
}
ONE_SHOT = ("setup", "mana")
# No container finds them in its environment any more.
MOVED = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY")
DOORS = {"traefik": "prod", "doors": "dev"}
SECRETS = secret_files.files(State(data=""), 32, LauncherSettings.model_construct())


def secrets_of(service: str) -> dict[str, str]:
    """What a service reads, by the file's name in ``secrets/``."""
    named = [one if isinstance(one, str) else one["source"] for one in SERVICES[service].get("secrets", [])]
    files = [COMPOSED["secrets"][name]["file"].removeprefix("./secrets/") for name in named]
    return {file: SECRETS.get(file, "state") for file in files}


def text_of(*path: str) -> str:
    return Path(CHECKOUT, *path).read_text(encoding="utf-8")


@pytest.mark.parametrize("service", PROCESSES)
def test_every_setting_reaches_its_process(service: str) -> None:
    wanted = {name.upper() for name in PROCESSES[service].model_fields} - ELSEWHERE
    listed = set(SERVICES[service]["environment"])
    named_by_command = set(re.findall(r"([A-Z_]+)=", " ".join(SERVICES[service]["command"])))
    assert wanted <= listed | named_by_command


def test_every_bound_reaches_the_set_up() -> None:
    kinds = ("events_", "subscriber_", "dead_")
    bounds = {name.upper() for name in LauncherSettings.model_fields if name.startswith(kinds)}
    assert len(bounds) == 5
    assert bounds <= set(SERVICES["setup"]["environment"])


def test_all_of_our_processes_are_there() -> None:
    assert {*PROCESSES, *ONE_SHOT} == set(OURS)


def test_no_service_is_several() -> None:
    """Replicas of one would be replaced at once, and none of them would be missed."""
    assert not [name for name, service in SERVICES.items() if service["deploy"].get("replicas") or "scale" in service]
    for name in ("worker-1", "worker-2", "clock", "relay", "mail", "payments", "apps", "usage"):
        assert SERVICES[name]["environment"]["MANA_PROCESS_NAME"] == name


def test_each_image_of_ours_is_built_once_and_asked_of_no_registry() -> None:
    """Several that build one tag at once race for it; each that runs waits for the one that is built."""
    built = {name: service["image"] for name, service in SERVICES.items() if "build" in service}
    assert built == {
        "setup": "mana:local",
        "pgbouncer": "mana-pgbouncer:local",
        "postgres": "mana-postgres:local",
    }
    for name, service in SERVICES.items():
        assert (service.get("pull_policy") == "never") == (service["image"] in built.values()), name


def test_what_operators_type_runs_beside_everything_and_starts_nothing() -> None:
    """It would else migrate whenever somebody asks something."""
    mana = SERVICES["mana"]
    assert mana["profiles"] == ["operator"]
    assert mana["depends_on"] == {}
    assert "STRIPE_API_URL" in mana["environment"]
    assert mana["environment"][settings_file.SETTING] == "/run/secrets/payments", "where Stripe's key is"
    assert "payments" in mana["secrets"]


def test_only_the_set_up_and_operators_are_told_the_servers_administrators_passwords() -> None:
    for service in OURS:
        told = "".join(secrets_of(service).values())
        assert "mana_admin" not in told, service
        assert ("mana-admin:" in told) == (service == "apps"), service
    assert secrets_of("setup") == {"state.json": "state"}
    assert [name for name in SERVICES if "state" in SERVICES[name].get("secrets", [])] == [*ONE_SHOT]


def test_no_secret_is_in_an_environment_or_a_command() -> None:
    for name, service in SERVICES.items():
        text = str(service.get("environment")) + str(service.get("command"))
        assert not re.search(r"(?i)(password|secret)[^/]*[:=] ?['\"]?(?!None|/run/secrets)[a-z0-9]{6}", text), name
        assert "set -a" not in text, f"{name} exports a file"


@pytest.mark.parametrize("service", PROCESSES)
def test_a_process_reads_its_secrets_from_its_file_and_finds_none_in_its_environment(service: str) -> None:
    environment = environment_of(service, {})
    [secret] = SERVICES[service]["secrets"]
    assert environment[settings_file.SETTING] == f"/run/secrets/{secret}"
    listed = {name for name in SERVICES[service]["environment"] if name.endswith(("_URL", "_KEY", "_SECRET"))}
    assert listed <= {"PUBLIC_URL", "STRIPE_API_URL", "MAIL_LINKS_URL", "SMTP_URL"}


def test_what_others_gave_is_written_once_and_told_to_those_who_need_it(tmp_path: Path) -> None:
    chosen = LauncherSettings.model_construct()
    secret_files.write(tmp_path, 32, chosen)
    own = tmp_path / secret_files.OWN
    assert own.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(own.read_text()).values()) == {""}
    own.write_text(json.dumps({"STRIPE_SECRET_KEY": "sk_test_1", "SMTP_URL": "smtp://l:p'$x y@h"}))
    secret_files.write(tmp_path, 32, chosen)
    told = {path.stem: json.loads(path.read_bytes()) for path in tmp_path.glob("*.json")}
    assert {name for name in told if "STRIPE_SECRET_KEY" in told[name]} == {"api", "payments", "own"}
    assert {name for name in told if "SMTP_URL" in told[name]} == {"mail", "own"}
    assert told["mail"]["SMTP_URL"] == "smtp://l:p'$x y@h"
    assert "JWT_PRIVATE_KEY" not in told["api"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(
            ("{", "is no JSON"),
            ("[]", "something else"),
            ('{"SMTP_URL": 1}', "something else"),
            ('{"X": ""}', "holds X"),
        ),
        ('{"ALERTS_EMAIL_TO": "oncall@example.com", "SMTP_URL": "smtps://l:p@h"}', "ALERTS_EMAIL_FROM"),
    ],
)
def test_what_was_written_wrongly_by_hand_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / secret_files.OWN).write_text(text)
    with pytest.raises(LauncherError, match=said):
        secret_files.write(tmp_path, 32, LauncherSettings.model_construct())


def test_every_secret_is_made_and_read_by_somebody() -> None:
    held = {secret["file"].removeprefix("./secrets/") for secret in COMPOSED["secrets"].values()}
    assert held == {*SECRETS, "state.json"}
    assert {file for service in SERVICES for file in secrets_of(service)} == held


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_goes_without(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= set(limits)
    assert service["read_only"] is True
    assert service["tmpfs"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]["max-size"]
    assert not service.get("privileged")
    if name in ONE_SHOT:
        assert (service["restart"], service["healthcheck"]) == ("no", {"disable": True})
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


def test_servers_stop_taking_more_before_the_kernel_ends_them() -> None:
    """RabbitMQ 3.13 counts the machine's memory, not the container's: a share of it may lie above the limit."""

    def of(service: str) -> int:
        return _bytes(SERVICES[service]["deploy"]["resources"]["limits"]["memory"])

    (watermark,) = re.findall(
        r"^vm_memory_high_watermark\.(.*)$", text_of("ops", "rabbitmq", "rabbitmq.conf"), re.MULTILINE
    )
    assert _bytes(watermark.removeprefix("absolute = ")) <= 0.6 * of("rabbitmq")
    (kept,) = re.findall(r"^maxmemory (.*)$", text_of("ops", "redis", "redis.conf"), re.MULTILINE)
    assert _bytes(kept) <= 0.6 * of("redis")  # a rewritten log may double what it holds
    (shared,) = (one for one in SERVICES["postgres"]["command"] if "shared_buffers" in one)
    assert _bytes(shared.split("=")[1]) <= 0.5 * of("postgres")


def _bytes(text: str) -> int:
    """A size as Docker, PostgreSQL, Redis or RabbitMQ write it; each unit taken as the larger of its meanings."""
    count, unit = re.fullmatch(r"(\d+) ?([kmgKMG])(?:i?[bB])?", text).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return int(count) * 1024 ** ("kmg".index(unit.lower()) + 1)


def test_images_are_pinned_by_version() -> None:
    built = {"mana:local", "mana-pgbouncer:local", "mana-postgres:local"}
    pulled = {service["image"] for service in SERVICES.values()} - built
    for dockerfile in ("ops/Dockerfile", "ops/pgbouncer/Dockerfile", "ops/postgres/Dockerfile"):
        pulled |= set(re.findall(r"^FROM (\S+)", text_of(dockerfile), flags=re.MULTILINE))
    assert len(pulled) >= 8
    for image in pulled:
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z]+)*$", image), image


def test_only_the_doors_publish_ports_and_in_development_to_this_machine_alone() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == set(DOORS)
    for name, profile in DOORS.items():
        assert SERVICES[name]["profiles"] == [profile]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["doors"]["ports"])
    world = [port for port in SERVICES["traefik"]["ports"] if not port.startswith("127.0.0.1:")]
    assert world == ["0.0.0.0:80:80", "0.0.0.0:443:443", "0.0.0.0:5671:5671"]


def test_the_world_reaches_traefik_and_traefik_reaches_no_store() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    closed = {name for name, network in COMPOSED["networks"].items() if network.get("internal")}
    assert closed == {"inside", "behind"}
    assert {name for name in SERVICES if "edge" in networks[name]} == {"traefik", "doors", "api-1", "api-2"}
    assert {name for name in SERVICES if "outward" in networks[name]} == {"mana", "mail", "payments", "alertmanager"}
    assert {name for name in SERVICES if networks[name] & networks["traefik"]} - {"traefik"} == {
        *("api-1", "api-2", "doors", "rabbitmq", "grafana", "prometheus")
    }
    trusted = environment_of("api-1", {})["TRUSTED_PROXIES"]
    assert trusted in COMPOSED["networks"]["edge"]["ipam"]["config"][0]["subnet"]


def test_everything_of_ours_waits_for_the_set_up_and_the_set_up_for_the_servers() -> None:
    for name in PROCESSES:
        assert SERVICES[name]["depends_on"]["setup"] == {"condition": "service_completed_successfully"}
    healthy = {"condition": "service_healthy"}
    assert SERVICES["setup"]["depends_on"] == dict.fromkeys(("postgres", "rabbitmq", "redis"), healthy)
    for door in DOORS:
        assert SERVICES[door]["depends_on"] == dict.fromkeys(("api-1", "api-2"), healthy)


def test_what_is_mounted_is_there_and_read_only() -> None:
    for name, service in SERVICES.items():
        for written in service.get("volumes", []):
            source, _, *rest = filled(written, {}).split(":")
            if source.startswith("./"):
                assert rest == ["ro"], name
                assert (CHECKOUT / source).exists(), written
            else:
                assert source in COMPOSED["volumes"], written


def test_wal_is_archived_where_the_image_has_a_folder_of_the_servers_user() -> None:
    """Of a path that the image does not have a new volume would be root's."""
    told = dict(word.removeprefix("-c").split("=", 1) for word in SERVICES["postgres"]["command"][1:])
    assert (told["archive_mode"], told["archive_timeout"]) == ("on", f"{archive.SECONDS}s")
    program, script, segment, target = told["archive_command"].split()
    assert (program, segment) == ("sh", "%p")
    folder = target.removesuffix("/%f")
    there = mounted("postgres", {})
    assert there[script] == "./ops/postgres/archive.sh"
    assert there[folder] == "wal"
    assert mounted("postgres", {"BACKUP_WAL_DIR": "/mnt/wal"})[folder] == "/mnt/wal"
    user = SERVICES["postgres"]["user"]
    assert f"--owner={user} --group={user} --mode=0700 {folder}\n" in text_of("ops", "postgres", "Dockerfile")
    recovers = text_of("ops", "postgres", "recover.sh")
    assert f" wal={folder} " in recovers
    assert there[re.findall(r" postgres (/\S+)", text_of("ops", "restore.sh"))[0]] == "./ops/postgres/recover.sh"
    assert f"data={next(target for target, source in there.items() if source == 'postgres')} " in recovers


def test_prometheus_asks_services_that_it_reaches() -> None:
    jobs = yaml.safe_load(text_of("ops", "prometheus", "prometheus.yml"))["scrape_configs"]
    targets = [target for job in jobs for found in job["static_configs"] for target in found["targets"]]
    names = {target.split(":")[0] for target in targets} - {"localhost"}
    assert names >= {*PROCESSES, "rabbitmq", "traefik"}
    for name in names:
        assert set(SERVICES[name]["networks"]) & set(SERVICES["prometheus"]["networks"]), name


def test_development_has_settings_that_every_process_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dev = dict(re.findall(r"^([A-Z_]+)=(.*)$", text_of("ops", "dev.env"), flags=re.MULTILINE))
    assert dev["COMPOSE_PROFILES"] == "dev"
    for service, kind in PROCESSES.items():
        with monkeypatch.context() as surroundings:
            for name, value in {**environment_of(service, dev), "MANA_PROCESS_NAME": service}.items():
                surroundings.setenv(name, value)
            [(file, text)] = secrets_of(service).items()
            (tmp_path / file).write_text(text)
            surroundings.setenv(settings_file.SETTING, str(tmp_path / file))
            kind()


def test_the_definitions_are_what_the_code_says_and_bind_in_the_rings_order() -> None:
    """decision 0014: a restart binds sorted by name; bound otherwise at first, users would change their partitions."""
    assert definitions.FILE.read_text(encoding="utf-8") == definitions.text(), "python -m ops.setup.definitions"
    bound = [b for b in yaml.safe_load(definitions.text())["bindings"] if b["source"] == "credits.commands"]
    names = [binding["destination"] for binding in bound]
    assert len(names) == 32
    assert names == sorted(names)
    assert "definition_import_work_pool_size, 1}" in text_of("ops", "rabbitmq", "advanced.config")
    assert "\ndefault_worker_pool_size = 1\n" in text_of("ops", "rabbitmq", "rabbitmq.conf")


def test_the_script_makes_all_secrets_and_shows_them_to_their_owner_alone(tmp_path: Path) -> None:
    """With a docker that runs what it is told here, in the place of the container."""
    own = tmp_path / "secrets" / secret_files.OWN
    program = f'PYTHONPATH="{CHECKOUT}" "{sys.executable}" -m ops.setup secrets secrets'
    environment = docker.standing_in(tmp_path / "bin", f"run*) {program};; *version*) echo 2.35.0")
    said: list[str] = []
    for _ in range(2):
        command = ["sh", CHECKOUT / "ops" / "secrets.sh"]
        said.append(subprocess.check_output(command, cwd=tmp_path, env=environment, text=True))
        own.write_text(
            '{"SMTP_URL": "smtps://login:password@mail.example.com", "ALERTS_EMAIL_TO": "oncall@example.com",'
            ' "ALERTS_EMAIL_FROM": "mana@example.com"}'
        )
    assert ["Nobody is told" in one for one in said] == [True, False]
    version, build, run, *_ = (tmp_path / "asked").read_text().splitlines()
    assert version == "compose version --short"
    assert build == "compose build setup"
    assert f"-v {tmp_path}/secrets:/secrets mana:local python -m ops.setup secrets /secrets" in run
    assert {file.name for file in (tmp_path / "secrets").iterdir()} == {*SECRETS, "state.json", secret_files.OWN}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    told = yaml.safe_load((tmp_path / "secrets" / "alertmanager.yml").read_text())
    (mail,) = told["receivers"][0]["email_configs"]
    assert (mail["to"], mail["smarthost"]) == ("oncall@example.com", "mail.example.com:465")
    assert mail["from"] == "mana@example.com"


@pytest.mark.parametrize(
    ("version", "goes"),
    [
        *(("1.29.2", False), ("2.4", False), ("2.9.0", False), ("2.24.7", False), ("v2.34.0", False)),
        *(("2.35.0", True), ("2.35.1-desktop.1", True), ("v2.40.3", True), ("5.5.0", True), ("10.0.0", True)),
    ],
)
def test_the_script_refuses_a_compose_that_would_stop_traefik_with_a_front(
    version: str, goes: bool, tmp_path: Path
) -> None:
    environment = docker.standing_in(tmp_path, f"*version*) echo {version}")
    script = ["sh", CHECKOUT / "ops" / "secrets.sh"]
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == goes
    assert ("2.35 or later" in done.stderr) != goes


@pytest.mark.parametrize(
    ("line", "moved"),
    [
        *((f"{name}=abc", False) for name in MOVED),
        *(("export STRIPE_SECRET_KEY=sk_1", False), ("STRIPE_SECRET_KEY = 'sk_1'", False)),
        *(('JWT_PRIVATE_KEY="-----BEGIN PRIVATE KEY-----\nMC4C', False), ("STRIPE_SECRET_KEY: sk_1", False)),
        *((f"{name}=", True) for name in MOVED),
        *(('STRIPE_SECRET_KEY=""', True), ("STRIPE_SECRET_KEY= # sk_1", True), ("#STRIPE_SECRET_KEY=sk_1", True)),
        *(("SMTP_URL=smtp://mails:1025", True), ("STRIPE_API_URL=https://api.stripe.com", True)),
    ],
)
def test_the_script_refuses_secrets_that_no_container_would_be_told(line: str, moved: bool, tmp_path: Path) -> None:
    environment = docker.standing_in(tmp_path, "*version*) echo 2.40.0")
    (tmp_path / ".env").write_text(f"COMPOSE_PROFILES=prod\n{line}\n")
    script = ["sh", CHECKOUT / "ops" / "secrets.sh"]
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == moved == (tmp_path / "asked").exists()
    assert ("secrets/own.json, and out of .env" in done.stderr) != moved
    assert not re.search("sk_1|abc|BEGIN", done.stderr), "the value is said"


def test_our_own_postgresql_is_told_the_same() -> None:
    told = dict(re.findall(r"-c(\w+)=(\S+)", " ".join(SERVICES["postgres"]["command"])))
    told = {name: value for name, value in told.items() if not name.startswith("archive_")}
    assert told == {name: postgres.SETTINGS[name] for name in told}
    assert "temp_file_limit" in told


def test_traces_can_be_switched_on_where_they_are_made() -> None:
    """By every variable that the page on them names, in an image that has what they need."""
    page = text_of("docs", "operations", "tracing.md")
    (table,) = re.findall(r"\| variable \|.*?\n\n", page, flags=re.DOTALL)
    named = set(re.findall(r"OTEL_[A-Z_]+", table))
    assert len(named) > 10
    for service in ("api-1", "api-2", "worker-1", "worker-2"):
        assert named <= set(SERVICES[service]["environment"]), service
    assert environment_of("worker-1", {"OTEL_TRACES_SAMPLER": "always_on"})["OTEL_TRACES_SAMPLER"] == "always_on"
    assert not any(name.startswith("OTEL_") for name in environment_of("worker-1", {})), "off where nothing is said"
    installed = re.findall(r"-r (\S+)", text_of("ops", "Dockerfile"))
    assert installed == ["runtime.txt", "otel.txt"]
    assert "mana_inside" in page, "where a collector is to be"
    assert "inside" in SERVICES["worker-1"]["networks"]
