"""The pretend bank as a real process, for any test that needs a bank on the other side of HTTP.

    with SandboxBank() as bank:
        bank.issuer, bank.client_id, bank.client_key, bank.redirect_uri, bank.control("GET", "/control/state")

    with SandboxBank(kind="card") as bank:  # the card issuer, which speaks 3.1.11
        bank.aisp, bank.version

A temporary data directory, a free port, a fresh client key; the whole process group is gone when the block ends.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from jwcrypto import jwk

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
#: Several commands of the bank's manage.py in one process: most of the time of one is its start.
_MANAGE = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "banks.sandbox.settings"
import django
from django.core.management import call_command
django.setup()
for command in json.loads(sys.argv[1]):
    call_command(*command)
"""
#: Kind of bank -> version of the standard it speaks, root of its resources.
KINDS = {"first": ("4.0", "/open-banking/v4.0/aisp"), "card": ("3.1.11", "/open-banking/v3.1/aisp")}


def free_port() -> int:
    """A port nobody listens on right now. Somebody else may take it before we do: the start then fails loudly."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class SandboxBank:
    """One running bank with one registered client. Start and stop it as a context manager."""

    def __init__(
        self,
        *,
        client_id: str = "sluice",
        client_name: str = "Sluice",
        redirect_uri: str = "http://127.0.0.1:9/callback",
        control_token: str | None = "control-token-of-a-test",
        kind: str = "first",
    ) -> None:
        self.kind = kind
        self.version, self.resource_path = KINDS[kind]
        self.client_id = client_id
        self.client_name = client_name
        self.redirect_uri = redirect_uri
        self.control_token = control_token
        self.client_key = new_key("EC")
        self.issuer = ""
        self.marked = 0  #: id in its log of requests up to which somebody has read
        self.directory = Path()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def aisp(self) -> str:
        """Root of the resources."""
        return self.issuer + self.resource_path

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="sandbox-bank-"))
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def manage(self, *arguments: str) -> str:
        """Run `python -m banks.sandbox ...` against this bank; its output. Raises CalledProcessError."""
        return self._run([sys.executable, "-m", "banks.sandbox", *arguments])

    def _run(self, command: list[str]) -> str:
        environment = self._environment()
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout

    def register(self, client_id: str, name: str, key: jwk.JWK, *redirect_uris: str) -> None:
        """Make a client known, or change what is known of it."""
        self.manage(*self._registration(client_id, name, key, *redirect_uris))

    def _registration(self, client_id: str, name: str, key: jwk.JWK, *redirect_uris: str) -> list[str]:
        file = self.directory / f"{client_id}.jwks.json"
        public = jwk.JWKSet()
        public.add(jwk.JWK.from_json(key.export_public()))
        file.write_text(public.export(private_keys=False), encoding="utf-8")
        uris = [part for uri in redirect_uris for part in ("--redirect-uri", uri)]
        return ["register_client", "--client-id", client_id, "--name", name, "--jwks", str(file), *uris]

    def control(self, method: str, path: str, **arguments: Any) -> Any:
        """Call the control API; its JSON. Raises HTTPError."""
        headers = {"Authorization": f"Bearer {self.control_token}"}
        answer = requests.request(method, self.issuer + path, headers=headers, timeout=10, **arguments)
        answer.raise_for_status()
        return answer.json()

    def log_tail(self) -> str:
        """The last lines the server wrote."""
        file = self.directory / "server.log"
        return file.read_text(encoding="utf-8", errors="replace")[-4000:] if file.exists() else ""

    def _start(self) -> None:
        port = free_port()
        self.issuer = f"http://127.0.0.1:{port}"
        registration = self._registration(self.client_id, self.client_name, self.client_key, self.redirect_uri)
        commands = [["migrate", "--verbosity", "0"], registration]
        self._run([sys.executable, "-c", _MANAGE, json.dumps(commands)])
        command = [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers", "1", "--blocking-threads", "4", "--no-ws", "banks.sandbox.wsgi:application"),
        ]
        with (self.directory / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                command, cwd=ROOT, env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._server is None or self._server.poll() is not None:
                raise RuntimeError(f"the bank did not start:\n{self.log_tail()}")
            try:
                if requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=2).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.03)
        raise RuntimeError(f"the bank was not ready after {START_SECONDS} s:\n{self.log_tail()}")

    def _stop(self) -> None:
        if self._server is not None:
            # The group: the server's workers are processes of their own, and outlive it when only it is killed.
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self._server.pid, number)
                except ProcessLookupError:
                    break
                try:
                    self._server.wait(timeout=3)
                except subprocess.TimeoutExpired:
                    continue
            self._server.wait()
            self._server = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
        environment |= {
            "SANDBOX_BANK": self.kind,
            "SANDBOX_DATA_DIRECTORY": str(self.directory / "data"),
            "SANDBOX_ISSUER": self.issuer,
            "PYTHONPATH": str(ROOT),
        }
        if self.control_token is not None:
            environment["SANDBOX_CONTROL_TOKEN"] = self.control_token
        return environment


def new_key(kty: str) -> jwk.JWK:
    """A fresh private key, EC P-256 or RSA 2048, with its thumbprint as kid."""
    key = jwk.JWK.generate(kty="EC", crv="P-256") if kty == "EC" else jwk.JWK.generate(kty="RSA", size=2048)
    key.update(kid=key.thumbprint())
    return key
