"""The spool of an embedded instance: real files and real processes; a reader never meets half of a message."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection
from kombu.exceptions import ChannelError
from kombu.transport import filesystem

import gateway.celery
from gateway import spool, tasks

ROOT = Path(__file__).resolve().parent.parent.parent
MESSAGES = 1000

PRODUCER = """
import sys
from tests.gateway.test_spool import queue_in
from gateway import spool
with queue_in(sys.argv[1], spool.Transport) as queue:
    for number in range(int(sys.argv[2])):
        queue.put({"number": number})
"""


def left_in(directory: Path) -> list[str]:
    return os.listdir(directory / "messages")


@contextmanager
def queue_in(directory: Path | str, transport: Any) -> Iterator[Any]:
    messages, control = Path(directory, "messages"), Path(directory, "control")
    for folder in (messages, control):
        folder.mkdir(parents=True, exist_ok=True)
    options = {"data_folder_in": str(messages), "data_folder_out": str(messages), "control_folder": str(control)}
    with Connection(transport=transport, transport_options=options) as connection:
        queue = connection.SimpleQueue("work", serializer="json")
        yield queue
        queue.close()


class Slow:
    """A payload that takes its writer until `go` to make, as if the processor were somebody else's meanwhile."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()

    def __json__(self) -> dict[str, int]:
        self.asked.set()
        assert self.go.wait(10)
        return {"number": 1}


@contextmanager
def reader_beside_a_slow_writer(directory: Path, transport: Any) -> Iterator[Any]:
    """A reading channel, while another thread is in the middle of putting a message."""
    payload = Slow()
    with queue_in(directory, transport) as reading, queue_in(directory, transport) as writing:
        putting = threading.Thread(target=writing.channel._put, args=("work", payload))
        putting.start()
        try:
            assert payload.asked.wait(10)
            yield reading.channel
        finally:
            payload.go.set()
            putting.join()


def test_kombus_own_channel_takes_a_message_that_is_not_written_yet(tmp_path: Path) -> None:
    with (
        reader_beside_a_slow_writer(tmp_path, filesystem.Transport) as channel,
        pytest.raises(ValueError, match="Expecting value"),
    ):
        channel._get("work")  # the day this no longer fails, gateway.spool can go


def test_a_message_is_seen_only_once_it_is_whole(tmp_path: Path) -> None:
    with reader_beside_a_slow_writer(tmp_path, spool.Transport) as channel, pytest.raises(Empty):
        channel._get("work")

    with queue_in(tmp_path, spool.Transport) as queue:
        assert queue.channel._get("work") == {"number": 1}
    assert left_in(tmp_path) == []


def test_an_unreadable_message_is_dropped_and_the_next_one_comes(tmp_path: Path) -> None:
    with queue_in(tmp_path, spool.Transport) as queue:
        (tmp_path / "messages" / "0_torn.work.msg").write_bytes(b'{"numb')
        (tmp_path / "messages" / "0_zeros.work.msg").write_bytes(b"\xff\0\0")
        queue.channel._put("work", {"number": 2})

        assert queue.channel._get("work") == {"number": 2}
    assert left_in(tmp_path) == []


def test_a_message_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with queue_in(tmp_path, spool.Transport) as queue:
        (tmp_path / "messages").rmdir()
        with pytest.raises(ChannelError):
            queue.channel._put("work", {"number": 3})
        (tmp_path / "messages").mkdir()
    assert left_in(tmp_path) == []


def test_a_thousand_messages_in_a_burst_arrive_once_each(tmp_path: Path) -> None:
    producer = subprocess.Popen([sys.executable, "-c", PRODUCER, str(tmp_path), str(MESSAGES)], cwd=ROOT)
    got: Counter[int] = Counter()
    with queue_in(tmp_path, spool.Transport) as queue:
        deadline = time.monotonic() + 60
        while len(got) < MESSAGES and time.monotonic() < deadline:
            try:
                message = queue.get(timeout=0.5)
            except Empty:
                continue
            got[message.payload["number"]] += 1
            message.ack()

    assert producer.wait(10) == 0
    assert got == Counter(range(MESSAGES))
    assert left_in(tmp_path) == []


def test_processes_that_bind_at_once_all_end_up_in_the_table(tmp_path: Path) -> None:
    """Web and worker start together: kombu's own table is empty for a moment, and the last to come may replace it."""
    program = """
import sys
from tests.gateway.test_spool import queue_in
from gateway import spool
with queue_in(sys.argv[1], spool.Transport) as queue:
    for number in range(50):
        queue.channel._queue_bind("shared", "", "", f"{sys.argv[2]}-{number}")
        queue.channel.get_table("shared")
"""
    binding = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(number)], cwd=ROOT) for number in range(3)
    ]
    assert [process.wait(60) for process in binding] == [0, 0, 0]

    with queue_in(tmp_path, spool.Transport) as queue:
        bound = queue.channel.get_table("shared")
        assert len(bound) == 150
        queue.channel._delete("0-0", "shared", "", "")
        assert len(queue.channel.get_table("shared")) == 149


def test_what_died_half_written_is_swept_and_nothing_else(tmp_path: Path) -> None:
    hour_ago = time.time() - 3600
    for name in (".dead.new", ".1_dead.work.msg", "2_waiting.work.msg", ".young.new"):
        (tmp_path / name).write_bytes(b"{")
        if "young" not in name:
            os.utime(tmp_path / name, (hour_ago - 1, hour_ago - 1))

    assert spool.sweep(tmp_path, before=hour_ago) == 2

    assert sorted(os.listdir(tmp_path)) == [".young.new", "2_waiting.work.msg"]
    assert spool.sweep(tmp_path / "absent", before=hour_ago) == 0


def test_the_sweep_of_an_instance_looks_into_its_own_spool(settings: Any, tmp_path: Path) -> None:
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": str(tmp_path), "control_folder": str(tmp_path)}
    (tmp_path / ".dead.new").write_bytes(b"{")
    os.utime(tmp_path / ".dead.new", (0, 0))

    tasks.sweep()
    assert os.listdir(tmp_path) == []

    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600}  # Redis
    tasks.sweep()


def test_every_process_of_an_instance_uses_this_transport() -> None:
    with gateway.celery.app.connection("filesystem://") as connection:
        assert type(connection.transport) is spool.Transport
