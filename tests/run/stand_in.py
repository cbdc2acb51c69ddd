"""Stands in for one process of an instance: `python -m gateway.child tests.run.stand_in ROLE [PORT]`."""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from gateway.embedded.plan import TABLES_ARE_THERE
from gateway.embedded.readiness import answers, web_ready_url

SEED = {
    "platforms": [
        {"name": "Chat", "client_id": "chat", "client_secret": "s3cret", "redirect_uri": "http://127.0.0.1/cb"}
    ],
    "users": [{"name": "Alice", "username": "alice", "password": "alice's password"}],
    "bank_admins": [{"name": "Bob", "username": "bob", "password": "bob's password", "totp_secret": "BOBSSECRET"}],
    "operators": [{"username": "olga", "password": "olga's password", "totp_secret": "OLGASSECRET"}],
    "banks": [
        {
            "name": "First Bank",
            "slug": "first-bank",
            "users": [{"username": "alice", "password": "bank password", "scenario": "plain"}],
            "control": {"url": "http://127.0.0.1:8001/control", "token": "moves the clock"},
        },
        {
            "name": "Card Issuer",
            "slug": "card-issuer",
            "users": [{"username": "carla", "password": "card password", "scenario": "plain"}],
        },
    ],
}


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        wanted = os.environ.get("SLUICE_READY_FILE") if self.path == "/readyz" else None
        self.send_response(200 if wanted is None or Path(wanted).exists() else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serve(port: int) -> None:
    """A server with a process of its own beneath it, like granian and its worker."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    HTTPServer(("127.0.0.1", port), Ready).serve_forever()


def main(role: str, *arguments: str) -> None:
    if role == "seed":
        print("a line before\n" + json.dumps(SEED))
    elif role == "seed_last":
        print(TABLES_ARE_THERE, flush=True)
        while not answers(f"{os.environ['SLUICE_ISSUER']}/livez"):
            time.sleep(0.05)
        if answers(web_ready_url(os.environ["SLUICE_ISSUER"])):
            sys.exit("it said that it is ready, and nothing is there yet")
        print(json.dumps(SEED))
    elif role == "fail":
        sys.exit("something is missing")
    elif role == "misconfigured":
        print("no such table", flush=True)
        sys.exit(os.EX_CONFIG)
    elif role == "serve":
        serve(int(arguments[0]))
    elif role == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if role in ("work", "stubborn"):
        print("working", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
