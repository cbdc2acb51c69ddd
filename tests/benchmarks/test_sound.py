"""What makes a run unsound is found: contestants that differ, answers that are not the ones seen before."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.benchmarks import dataset, equality, processor
from tests.benchmarks.asks import Ask
from tests.benchmarks.client import Load
from tests.benchmarks.errors import Unsound

OURS = {
    "transaction_id": "txn_a",
    "account_id": "acc_a",
    "amount": "-2.50",
    "merchant": {"name": "Corner Books", "category": "BOOKS", "mcc": "5942", "channel": "ONLINE"},
}
STOCK = {
    "id": "1",
    "account": "2",
    "amount": "-2.50",
    "merchant_name": "Corner Books",
    "category": "BOOKS",
    "mcc": "5942",
    "channel": "ONLINE",
}
TARGET = {"told_account_id": "acc_a", "account_id": "2", "ids": {"txn_a": "1"}}


def test_the_same_row_in_both_shapes_is_the_same() -> None:
    equality.require_equal("stock", equality.our_rows([OURS], TARGET), equality.stock_rows([STOCK]))


@pytest.mark.parametrize(
    "changed",
    [{"amount": "-2.51"}, {"amount": -2.5}, {"id": "9"}, {"mcc": None}, {"extra": None}],
)
def test_a_member_that_differs_is_found(changed: dict[str, object]) -> None:
    with pytest.raises(Unsound, match="row 0"):
        equality.require_equal("stock", equality.our_rows([OURS], TARGET), equality.stock_rows([{**STOCK, **changed}]))


def test_a_missing_row_is_found() -> None:
    with pytest.raises(Unsound, match="0 rows where we have 1"):
        equality.require_equal("stock", equality.our_rows([OURS], TARGET), [])


def test_an_id_that_is_no_rows_is_found() -> None:
    with pytest.raises(Unsound, match="no id"):
        equality.our_rows([{**OURS, "transaction_id": "txn_b"}], TARGET)


class Answering(BaseHTTPRequestHandler):
    """/N: a body of N octets, status 200."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"x" * int(self.path.removeprefix("/"))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def order(port: int, *asks: Ask) -> Load:
    return Load({"port": port, "seconds": 5, "once": True, "asks": [ask.as_json() for ask in asks]})


def test_every_answer_is_looked_at() -> None:
    right, long = Ask(path="/7", length=7), Ask(path="/100000", length=100_000)
    with answering() as port:
        told = order(port, right, long, Ask(path="/7", length=8), Ask(path="/7", status=304, length=7)).run(2)

    assert (told["requests"], told["bad"]) == (4, 2)
    assert "200 with 7 octets" in told["why"][0]


def test_nobody_there_is_a_bad_answer() -> None:
    with answering() as port:
        pass

    assert order(port, Ask(path="/7", length=7)).run(1)["bad"] == 1


def test_processor_time_of_children_counts_while_they_live_and_when_they_are_gone() -> None:
    work = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True); input()"
    before = processor.seconds({"me": os.getpid()})["me"]
    with subprocess.Popen(
        [sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdin is not None
        child.stdout.readline()
        alive = processor.seconds({"me": os.getpid()})["me"]
        child.stdin.write("\n")
    gone = processor.seconds({"me": os.getpid()})["me"]

    assert alive - before >= 0.28
    assert gone >= alive


def test_one_row_in_ten_is_the_big_accounts_and_the_others_are_spread() -> None:
    assert dataset.accounts(1_000_000) == 2000
    assert dataset.accounts(2_000) == 4
    assert dataset.account_id(1) != dataset.account_id(dataset.BIG)
