"""How many connections one worker process syncs, what each costs, and how much memory that takes.

The banks answer correctly after 200 ms; nothing has changed since the last sync. The jobs come from the schedule and
the dispatch, the worker is the real one, with everything a sync does: claim, lease, gate, quota, the consents asked
again before each call and under lock before each write, strict parsing, comparison, proof.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen
from uuid import uuid4

from django.conf import settings
from django.db import connection

from banks import sessions, vault
from banks.connector import Credentials
from banks.models import LIVE_JOBS, Connection, Institution, SyncJob
from banks.vault import Vault
from consents import clock
from consents.scopes import Scope
from tests import servers
from tests.benchmarks import processor
from tests.benchmarks.figures import Baseline, Figure, Goal, Sense
from tests.benchmarks.slow_bank import ACCOUNT_ID, ROOT
from tests.support import cast
from tests.support.worker import Worker

#: Banks that the connections are spread over.
BANKS = 5
STOCK_CONNECTIONS = 60
_SCOPES = frozenset({Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS, Scope.MERCHANTS})
_PATIENCE_SECONDS = 300.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """All connections synced once. CPU in milliseconds a connection."""

    per_second: float
    worker: float
    server: float
    pss_mib: float
    tcp_connections: int


def measure(
    *,
    is_quick: bool = False,
    connections: int | None = None,
    threads: int = 64,
    seconds_per_call: float = 0.2,
    progress: Callable[[str], None] = say,
) -> list[Figure]:
    """With Django ready, on a migrated PostgreSQL on this machine, which keeps the rows; 500 connections, quickly 60.

    Redis is the settings', or one of its own. The first pass fetches everything for the first time and is not counted;
    of the next three the median is told. Raises ValueError on another database.
    """
    if connection.vendor != "postgresql":
        raise ValueError("the fan-out is measured on PostgreSQL")
    connections = connections or (60 if is_quick else 500)
    with ExitStack() as running:
        redis_url = running.enter_context(_redis())
        origin = running.enter_context(_bank(seconds_per_call))
        directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="sluice-fanout-")))
        progress(f"fan-out: {connections} connections are made")
        ids = _linked(connections, origin, jobs_max=-(-2 * threads // BANKS))
        ticks = settings.TICK_SECONDS  # as an instance does
        worker = Worker(directory, redis_url=redis_url, lease_seconds=60, tick_seconds=ticks, threads=threads)
        with worker:
            assert worker.process is not None
            passes = []
            for number in range(4):
                passes.append(_pass(ids, worker.process.pid, origin))
                kind = "first sync" if number == 0 else "unchanged"
                progress(f"fan-out: {kind}, {passes[-1].per_second:.1f} a second, {passes[-1].worker:.1f} ms CPU each")
        ours = sorted(passes[1:], key=lambda one: one.per_second)[1]
        progress("fan-out: stock Celery, prefork, a new connection for each call")
        stock = _stock(STOCK_CONNECTIONS, origin, urlsplit(redis_url)._replace(path="/3").geturl())
        progress("fan-out: a bare script")
        bare = _bare(connections, origin, threads)
        shutil.rmtree(directory, ignore_errors=True)
    name = "stock Celery, prefork -c 2, a connection a call, nothing stored"
    return [
        Figure(
            name=f"fan-out: connections synced, 3 calls of {seconds_per_call * 1000:.0f} ms, rows unchanged",
            value=ours.per_second,
            unit="per second",
            baseline=Baseline(name=name, value=stock.per_second),
            goal=Goal(sense=Sense.AT_LEAST, value=120),
            note=f"{connections} connections at {BANKS} banks, one worker process, {threads} threads",
        ),
        Figure(
            name="fan-out: CPU of the worker, a connection",
            value=ours.worker,
            unit="ms CPU",
            baseline=Baseline(name=name, value=stock.worker),
            goal=Goal(sense=Sense.AT_MOST, value=6),
            note=f"PostgreSQL beside it: {ours.server:.1f} ms",
        ),
        Figure(
            name="fan-out: memory of the worker at its peak",
            value=ours.pss_mib,
            unit="MiB PSS",
            baseline=Baseline(name=name, value=stock.pss_mib),
            goal=Goal(sense=Sense.AT_MOST, value=150),
        ),
        Figure(
            name="fan-out: TCP connections opened to the banks",
            value=ours.tcp_connections,
            unit="connections",
            baseline=Baseline(name="a connection a call", value=3.0 * connections),
        ),
        Figure(
            name=f"fan-out: the same calls by a bare script, {threads} threads, a session each, nothing stored",
            value=bare["per_second"],
            unit="per second",
            note=f"{bare['cpu_milliseconds']:.1f} ms CPU each",
        ),
    ]


# -- a pass ------------------------------------------------------------------------------------------------------------


def _pass(ids: list[object], worker_pid: int, origin: str) -> Pass:
    server_pid = processor.parent_of(_backend_pid())
    counted = _counts(origin)
    cpu, server_cpu = processor.seconds_of(worker_pid), processor.seconds_of(server_pid)
    with _peak(worker_pid) as peak:
        began, now = time.monotonic(), clock.now()
        Connection.objects.filter(id__in=ids).update(next_sync_at=now)
        _wait(lambda: _are_synced(ids, now))
        seconds = time.monotonic() - began
    return Pass(
        per_second=len(ids) / seconds,
        worker=(processor.seconds_of(worker_pid) - cpu) / len(ids) * 1000,
        server=(processor.seconds_of(server_pid) - server_cpu) / len(ids) * 1000,
        pss_mib=peak[0],
        tcp_connections=_counts(origin)["connections"] - counted["connections"],
    )


def _are_synced(ids: list[object], since: object) -> bool:
    mine = Connection.objects.filter(id__in=ids)
    if mine.filter(last_failed_at__gte=since).exists():
        raise RuntimeError("a sync failed: the figures would be of something else")
    done = mine.filter(last_succeeded_at__gte=since, next_sync_at__gt=since).count() == len(ids)
    return done and not SyncJob.objects.filter(connection_id__in=ids, status__in=LIVE_JOBS).exists()


def _wait(condition: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > _PATIENCE_SECONDS:
            raise TimeoutError("the benchmark's jobs did not end")
        time.sleep(0.1)


@contextmanager
def _peak(pid: int) -> Iterator[list[float]]:
    """The most memory that the tree holds meanwhile, looked at five times a second."""
    most, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            most[0] = max(most[0], processor.pss_mebibytes(pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield most
    finally:
        over.set()
        looking.join()


def _backend_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


# -- what it is held against -------------------------------------------------------------------------------------------


def _stock(connections: int, origin: str, broker_url: str) -> Pass:
    environment = {**os.environ, "STOCK_BROKER_URL": broker_url}
    command = [sys.executable, "-m", "celery", "-q", "-A", "tests.benchmarks.stock_fanout", "worker", "-l", "ERROR"]
    options = ["-P", "prefork", "-c", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    process = subprocess.Popen([*command, *options], cwd=servers.ROOT, env=environment)
    try:
        _send(1, origin, environment)
        before = _counts(origin)["calls"]
        _wait(lambda: _counts(origin)["calls"] >= before + 3)
        before, cpu = _counts(origin)["calls"], processor.seconds_of(process.pid)
        with _peak(process.pid) as peak:
            began = time.monotonic()
            _send(connections, origin, environment)
            _wait(lambda: _counts(origin)["calls"] >= before + 3 * connections)
            seconds = time.monotonic() - began
        used = processor.seconds_of(process.pid) - cpu
    finally:
        process.terminate()
        process.wait(20)
    return Pass(
        per_second=connections / seconds,
        worker=used / connections * 1000,
        server=0.0,
        pss_mib=peak[0],
        tcp_connections=3 * connections,
    )


def _send(count: int, origin: str, environment: dict[str, str]) -> None:
    program = f"from tests.benchmarks.stock_fanout import sync\nfor _ in range({count}): sync.delay({origin + ROOT!r})"
    subprocess.run([sys.executable, "-c", program], cwd=servers.ROOT, env=environment, check=True)


def _bare(connections: int, origin: str, threads: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.stock_fanout", origin + ROOT, str(connections), str(threads)]
    done = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


# -- banks, customers --------------------------------------------------------------------------------------------------


@contextmanager
def _redis() -> Iterator[str]:
    if settings.REDIS_URL:
        yield settings.REDIS_URL
        return
    started = servers.Servers(servers.REDIS)
    try:
        yield f"{started.urls[servers.REDIS]}/0"
    finally:
        started.stop()


@contextmanager
def _bank(seconds_per_call: float) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.benchmarks.slow_bank", str(port), str(seconds_per_call)]
    process = subprocess.Popen(command, cwd=servers.ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("the slow bank did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _counts(origin: str) -> dict[str, int]:
    with urlopen(f"{origin}/counts", timeout=20) as answer:
        found: dict[str, int] = json.load(answer)
    return found


def _linked(connections: int, origin: str, *, jobs_max: int) -> list[object]:
    """As many customers, each with a link that works, one account and one consent."""
    now = clock.now()
    mark = uuid4().hex[:8]
    platform = cast.platform(f"fanout-{mark}", now=now).platform
    banks = [_institution(f"fanout-{mark}-{number}", origin, jobs_max) for number in range(BANKS)]
    for bank in banks:
        cast.permissive_policy(bank, now=now)
    ids: list[object] = []
    for number in range(connections):
        link = cast.connection(cast.person(f"fanout-{mark}-{number}"), banks[number % BANKS], now=now)
        account = cast.account(link, ACCOUNT_ID)
        cast.authorised_consent(link.user, platform, _SCOPES, accounts=[cast.choice(account)], now=now)
        credentials = Credentials(access_token=f"token-{number}", access_expires_at=now + timedelta(hours=12))
        Connection.objects.filter(id=link.id).update(
            sealed_credentials=sessions.sealed(Vault.of(link.id, link.wrapped_key), credentials),
            bank_consent_id=f"consent-{number}",
            checked_at=now,
        )
        ids.append(link.id)
    return ids


def _institution(slug: str, origin: str, jobs_max: int) -> Institution:
    bank_id = uuid4()
    return Institution.objects.create(
        id=bank_id,
        slug=slug,
        name=slug.title(),
        country="GB",
        timezone="Europe/London",
        connector="uk_obie",
        version="4.0",
        issuer=origin,
        authorization_url=f"{origin}/authorize",
        token_url=f"{origin}/token",
        resource_url=origin + ROOT,
        client_id="sluice",
        sealed_signing_key=vault.seal_alone(bank_id, "signing_key", b"{}"),
        is_sandbox=True,
        concurrent_jobs_max=jobs_max,
        calls_per_minute_max=1_000_000,
        created_at=clock.now(),
    )
