"""PostgreSQL and Redis of a run, and which processes they are: their share of a request is counted too."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from tests import servers
from tests.benchmarks import processor
from tests.benchmarks.errors import CannotMeasure

PREFIX = "sluice_bench_"


class PostgreSQL:
    """A server on this machine, and the databases that the run makes in it and drops again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: list[str] = []
        with self._connected() as connection:
            row = connection.execute("SELECT pg_backend_pid(), current_setting('server_version')").fetchone()
            assert row is not None
            self.version = str(row[1]).partition(" ")[0]  # without the distribution's own
            self.process_id = _postmaster(row[0])

    def create(self, name: str, *, template: str = "template1") -> str:
        """An empty database, or a copy of one that the run made; its URL."""
        full = PREFIX + name
        source = template if template == "template1" else PREFIX + template
        self._drop(full)  # of a run that was killed
        with self._connected() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(full), sql.Identifier(source))
            )
        self._made.append(full)
        return self.url_of(name)

    def url_of(self, name: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{PREFIX}{name}"))

    def drop_all(self) -> None:
        while self._made:
            self._drop(self._made.pop())

    def _drop(self, full: str) -> None:
        with self._connected() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(full)))

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.url, autocommit=True)


class Redis:
    """A server on this machine."""

    def __init__(self, url: str) -> None:
        self.url = url
        with redis.Redis.from_url(url) as connection:
            told = connection.info("server")
        self.version = str(told.get("valkey_version") or told["redis_version"])
        self.process_id = int(told["process_id"])
        _require_name(self.process_id, ("redis", "valkey"), "Redis")


@contextmanager
def running(database_url: str, redis_url: str) -> Iterator[tuple[PostgreSQL, Redis]]:
    """Both; what has no URL is started and thrown away. Raises CannotMeasure."""
    given = {servers.POSTGRESQL: database_url, servers.REDIS: redis_url}
    wanted = [name for name, url in given.items() if not url]
    with ExitStack() as stack:
        if wanted:
            started = servers.Servers(*wanted)
            stack.callback(started.stop)
            given |= started.urls
        try:
            postgresql, redis_server = PostgreSQL(given[servers.POSTGRESQL]), Redis(given[servers.REDIS])
        except (psycopg.OperationalError, redis.ConnectionError) as trouble:
            raise CannotMeasure(f"a server does not answer: {trouble}") from None
        stack.callback(postgresql.drop_all)
        yield postgresql, redis_server


def _postmaster(backend: int) -> int:
    """Raises CannotMeasure where the server is another machine's."""
    _require_name(backend, ("postgres",), "PostgreSQL")
    return processor.parent_of(backend)


def _require_name(process_id: int, names: tuple[str, ...], what: str) -> None:
    try:
        found = Path(f"/proc/{process_id}/comm").read_text().strip()
    except FileNotFoundError:
        found = ""
    if not found.startswith(names):
        raise CannotMeasure(f"{what} must run on this machine, beside the benchmark: its processor time is counted")
