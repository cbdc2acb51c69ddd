"""Serve Pocket Budget: `python -m examples.budget`."""

import argparse
import os
import sys
from socketserver import ThreadingMixIn
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from examples.budget.app import App
from examples.budget.configuration import Configuration
from examples.budget.follower import Follower
from examples.budget.sluice import Sluice
from examples.budget.store import Store


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request: a page that waits for a first sync holds up nobody. In production: a WSGI server."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Logs no address: the one that comes back from Sluice has a code in it."""

    def log_request(self, code: object = "-", size: object = "-") -> None:
        print(f"{self.command} {urlsplit(self.path).path} {code}", file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="python -m examples.budget",
        description="Serve Pocket Budget. What it is told at its registration comes from the environment: "
        "BUDGET_ISSUER, BUDGET_CLIENT_ID, BUDGET_CLIENT_SECRET, BUDGET_ORIGIN and BUDGET_DATA_DIRECTORY.",
        epilog="For example, beside an instance and with all of that set: python3 run.py --with-example",
    )


def main() -> int:
    parser().parse_args()
    try:
        configuration = Configuration.of(os.environ)
    except KeyError as missing:
        print(f"{missing.args[0]} is not set; examples/budget/configuration.py says what it is.", file=sys.stderr)
        return 2
    store, sluice = Store(configuration.data_directory), Sluice(configuration)
    Follower(sluice, store).start()
    place = urlsplit(configuration.origin)
    app = App(configuration, sluice, store)
    with make_server(place.hostname or "", place.port or 80, app, Server, Quiet) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
