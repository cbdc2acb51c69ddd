"""The throw-away servers and the environment of the tests themselves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests import environment, servers
from tests.run.watching import alive, eventually, family

ROOT = Path(__file__).resolve().parent.parent.parent


STARTER = """
import json, time
from tests.servers import Servers
started = Servers("redis", "postgresql")
print(json.dumps([started.urls, started._helper.pid]), flush=True)
time.sleep(600)
"""


def test_servers_end_when_their_starter_is_killed() -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    urls, pid = json.loads(starter.stdout.readline())
    helper = psutil.Process(pid)
    directory = urls[servers.POSTGRESQL].partition("?host=")[2]
    assert urls[servers.REDIS].startswith("redis://127.0.0.1:")
    running = [helper, *family(helper), *postgresql_in(directory)]
    assert len(running) >= 3

    starter.kill()
    starter.wait()

    eventually(lambda: not any(map(alive, running)), seconds=20)
    assert not Path(directory).exists()


def postgresql_in(directory: str) -> list[psutil.Process]:
    """The PostgreSQL server whose data is in `directory`, and the processes beneath it."""
    pid = int((Path(directory) / "postmaster.pid").read_text().splitlines()[0])
    return [psutil.Process(pid), *family(psutil.Process(pid))]


def test_redis_of_this_process_answers(redis_url: str) -> None:
    import redis

    assert redis.Redis.from_url(redis_url).ping()


def test_secrets_of_the_tests_are_never_the_same_twice() -> None:
    once, again = environment.generated_secrets(), environment.generated_secrets()

    assert set(once) == set(again)
    assert not set(once.values()) & set(again.values())


def test_data_of_the_tests_is_no_instances_data() -> None:
    assert Path(os.environ["SLUICE_DATA_DIRECTORY"]) == environment.DIRECTORY
    assert ROOT not in environment.DIRECTORY.parents
