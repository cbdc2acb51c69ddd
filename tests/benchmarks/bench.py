"""What the cases of one run share: the servers, the contestants on them, and how long is measured.

A contestant is made when a case first asks for it, and serves until the run ends.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.embedded.instance import Instance
from tests.benchmarks.asks import Ask
from tests.benchmarks.errors import CannotMeasure
from tests.benchmarks.load import Client
from tests.benchmarks.rounds import Pace, Rounds
from tests.benchmarks.stores import PostgreSQL, Redis
from tests.benchmarks.web import OURS, Web
from tests.race.server import instance_in

ROOT = Path(__file__).resolve().parents[2]
#: Who is refused for asking too often costs less than who is served.
_NO_LIMITS = {f"SLUICE_{whose}_CALLS_PER_MINUTE": "100000000" for whose in ("PLATFORM", "USER", "TOKEN", "FAILED")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """`rows` of the big database, `few` of the small one, which growth is measured from.

    `codes`, `stock_codes`: authorization codes, each good for one request: more than can be used up.
    """

    rows: int
    few: int
    codes: int
    stock_codes: int
    pace: Pace
    is_quick: bool

    @classmethod
    def of(cls, *, is_quick: bool, rows: int | None) -> "Size":
        if is_quick:
            pace = Pace(rounds=1, seconds=0.3, warm_up_seconds=0.1)
            return cls(rows=rows or 20_000, few=2_000, codes=500, stock_codes=60, pace=pace, is_quick=True)
        pace = Pace(rounds=5, seconds=2.5, warm_up_seconds=1.0)
        return cls(rows=rows or 1_000_000, few=10_000, codes=16_000, stock_codes=400, pace=pace, is_quick=False)


@dataclass(frozen=True, slots=True)
class Served:
    """A web server and what there is to ask it, as its preparation told (tests.benchmarks.preparing)."""

    web: Web
    told: Mapping[str, Any]


class Bench:
    """One run. `say` is for progress."""

    def __init__(
        self,
        size: Size,
        *,
        postgresql: PostgreSQL,
        redis: Redis,
        client: Client,
        directory: Path,
        say: Callable[[str], None],
    ) -> None:
        self.size = size
        self.postgresql = postgresql
        self.redis = redis
        self.directory = directory
        self.say = say
        self.rounds = Rounds(
            client, {"PostgreSQL": postgresql.process_id, "Redis": redis.process_id}, size.pace, self.say
        )
        self._stack = ExitStack()
        self._served: dict[str, Served] = {}
        self._has_tables = False

    def ours(self, rows: int) -> Served:
        """An instance over so many transactions."""
        return self._once(f"ours_{rows}", lambda name: self._start_ours(name, rows))

    def stock(self) -> Served:
        """tests.benchmarks.stock, over as many rows as the big database has."""
        return self._once("stock", self._start_stock)

    def bare(self) -> Served:
        """tests.benchmarks.bare, over the big database of ours."""
        return self._once("bare", self._start_bare)

    def database(self, name: str) -> dict[str, str]:
        """An environment for a process of ours on a database of its own, with tables and nothing in them."""
        return self._environment(instance_in(self.directory / name), self._database_with_tables(name))

    def stop_serving(self) -> None:
        """End every contestant: what they share with another process would be taken off its memory."""
        self._served.clear()
        self._stack.close()

    # -- making them ---------------------------------------------------------------------------------------------------

    def _once(self, name: str, start: Callable[[str], Served]) -> Served:
        if name not in self._served:
            self._served[name] = start(name)
        return self._served[name]

    def _start_ours(self, name: str, rows: int) -> Served:
        instance = instance_in(self.directory / name)
        environment = self._environment(instance, self._database_with_tables(name))
        self.say(f"filling our tables with {rows} transactions")
        size = ("--rows", str(rows), "--codes", str(self.size.codes))
        told = self._told("tests.benchmarks.preparing", environment, name, "--stage", "rows", *size)
        return self._serve(name, instance, OURS, environment, told)

    def _start_stock(self, name: str) -> Served:
        instance = instance_in(self.directory / name)
        environment = {
            **_inherited(),
            "DATABASE_URL": self.postgresql.create(name),
            "DJANGO_SETTINGS_MODULE": "tests.benchmarks.stock.settings",
            "BENCH_STOCK_SECRET_KEY": secrets.token_urlsafe(50),
        }
        self.say(f"filling the stock app's tables with {self.size.rows} transactions")
        size = ("--rows", str(self.size.rows), "--codes", str(self.size.stock_codes))
        told = self._told("tests.benchmarks.stock.preparing", environment, name, *size)
        return self._serve(name, instance, "tests.benchmarks.stock.wsgi:application", environment, told)

    def _start_bare(self, name: str) -> Served:
        ours = self.ours(self.size.rows)
        environment = {**_inherited(), "DATABASE_URL": self.postgresql.url_of(f"ours_{self.size.rows}")}
        instance = instance_in(self.directory / name)
        return self._serve(name, instance, "tests.benchmarks.bare:application", environment, ours.told)

    def _serve(
        self, name: str, instance: Instance, application: str, environment: Mapping[str, str], told: Mapping[str, Any]
    ) -> Served:
        web = Web(name, instance, application, environment)
        return Served(self._stack.enter_context(web), told)

    def _database_with_tables(self, name: str) -> str:
        """Tables take longer to make than to copy."""
        if not self._has_tables:
            self.say("making our tables")
            environment = self._environment(instance_in(self.directory / "tables"), self.postgresql.create("tables"))
            quick = ("--quick",) if self.size.is_quick else ()
            self._run("tests.benchmarks.preparing", environment, "--stage", "tables", *quick)
            self._has_tables = True
        return self.postgresql.create(name, template="tables")

    def _environment(self, instance: Instance, database_url: str) -> dict[str, str]:
        """As a server in use has it, but for the request limits; not as an embedded one, which prints passwords."""
        return {
            **_inherited(),
            **{name: value for name, value in instance.environment().items() if name.startswith("SLUICE_")},
            **_NO_LIMITS,
            "DJANGO_SETTINGS_MODULE": "gateway.settings",
            "SLUICE_EMBEDDED": "0",
            "DATABASE_URL": database_url,
            "REDIS_URL": self.redis.url,
        }

    def _told(self, module: str, environment: Mapping[str, str], name: str, *arguments: str) -> dict[str, Any]:
        result = self.directory / f"{name}.json"
        self._run(module, environment, *arguments, "--result", str(result))
        told: dict[str, Any] = json.loads(result.read_text())
        return told

    def _run(self, module: str, environment: Mapping[str, str], *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            self.say(done.stdout)
            raise CannotMeasure(f"{module} failed: {(done.stdout.splitlines() or ['it said nothing'])[-1]}")


def _inherited() -> dict[str, str]:
    """What a developer's shell may export, without what would change who is measured."""
    foreign = ("SLUICE_", "SANDBOX_", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def bearer(path: str, token: str, **headers: str) -> Ask:
    return Ask(path=path, headers={"Authorization": f"Bearer {token}", **headers})
