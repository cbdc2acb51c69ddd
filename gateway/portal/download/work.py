"""Makes one copy: read, written to the disk, sealed, put away piece by piece."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO

from banks.errors import StaleLease
from gateway.portal.download import archive, jobs, tables
from gateway.portal.download.jobs import CHUNK_BYTES, Held
from gateway.portal.download.tables import Table

log = logging.getLogger(__name__)


def run(held: Held, *, clock: Callable[[], datetime]) -> None:
    """To its end, or until somebody else holds the job. A defect is recorded, tried again later, and goes on."""
    try:
        _make(held, clock)
    except StaleLease:
        log.info("lease lost", extra={"job_id": held.job_id})
    except Exception:
        jobs.fail(held, "internal_error", now=clock())
        raise


def _make(held: Held, clock: Callable[[], datetime]) -> None:
    stage = "profile"

    def step() -> None:
        jobs.go_on(held, stage, now=clock())

    def told() -> Iterator[Table]:
        nonlocal stage
        for table in tables.tables(held.user, clock=clock, step=step):
            stage = table.name
            step()
            yield table

    with tempfile.TemporaryFile() as file:
        archive.write(file, told(), username=held.user.username, now=clock())
        size_bytes = file.tell()
        file.seek(0)
        chunks = _put_away(held, file, clock)
    jobs.finish(held, chunks=chunks, size_bytes=size_bytes, now=clock())


def _put_away(held: Held, file: IO[bytes], clock: Callable[[], datetime]) -> int:
    number = 0
    while plain := file.read(CHUNK_BYTES):
        jobs.add_chunk(held, number, plain, now=clock())
        number += 1
    return number
