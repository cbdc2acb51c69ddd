"""Rows that several tests begin with, written once: a transaction around those tests, inside which each has its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import transaction
from pytest_django import DjangoDbBlocker

Made = TypeVar("Made")


@contextmanager
def kept(blocker: DjangoDbBlocker, make: Callable[[], Made]) -> Iterator[Made]:
    """What `make` returns; the rows it writes are there until the block ends, for tests that commit nothing."""
    around = transaction.atomic()
    around._from_testcase = True  # type: ignore[attr-defined]  # as around a test: durable blocks may stand inside
    with blocker.unblock():
        around.__enter__()
        try:
            made = make()
        except BaseException:
            _undo(around)
            raise
    yield made
    with blocker.unblock():
        _undo(around)


def _undo(around: transaction.Atomic) -> None:
    transaction.set_rollback(True)
    around.__exit__(None, None, None)
