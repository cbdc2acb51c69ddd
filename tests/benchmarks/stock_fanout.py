"""Three calls for each connection, as they are usually written: nothing is parsed, compared, counted or stored.

A Celery application whose task opens a connection for each call, for `worker -P prefork -c 2`; and, as a program, the
same calls by a pool of threads with a session each: what Python and its HTTP library cost without any service.

    python -m tests.benchmarks.stock_fanout http://127.0.0.1:9000/... 500 64
"""

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests
from celery import Celery

app = Celery("stock_fanout", broker=os.environ.get("STOCK_BROKER_URL", "memory://"))
app.conf.task_ignore_result = True

_PATHS = ("accounts", "accounts/current/balances", "accounts/current/transactions?fromBookingDateTime=2026-02-15")
_own = threading.local()


@app.task(name="stock.sync")  # type: ignore[untyped-decorator]
def sync(root: str) -> None:
    for path in _PATHS:
        requests.get(f"{root}/{path}", timeout=30).json()


def _with_session(root: str) -> None:
    if not hasattr(_own, "session"):
        _own.session = requests.Session()
    for path in _PATHS:
        _own.session.get(f"{root}/{path}", timeout=30).json()


def main(root: str, connections: int, threads: int) -> None:
    began, cpu_began = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(_with_session, [root] * connections))
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu_began
    print(json.dumps({"per_second": connections / seconds, "cpu_milliseconds": cpu / connections * 1000}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
