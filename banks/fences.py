"""The transactions of a job: each only while it holds its lease, those with rows also while a consent needs them.

Locks are taken in the order consent (by id), connection, job.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from banks import held_jobs
from banks.compiled import SLOTS, CompiledModels
from banks.errors import StaleLease
from banks.held_jobs import Claim
from banks.models import Connection, SyncJob
from banks.plan import Plan, lock_consents, plan_under_lock, reaching
from banks.types import Resource
from consents.scopes import Presence


class NoLongerNeeded(Exception):
    """Between fetch and commit the last consent that needed this ended."""


@contextmanager
def fenced(
    held: Claim, *, stage: str, presence: Presence, now: Callable[[], datetime]
) -> Iterator[tuple[Connection, Plan]]:
    """One write transaction of a job: consents locked and asked again, connection locked, lease checked.

    Raises StaleLease.
    """
    with transaction.atomic():
        consents = lock_consents(held.connection_id)
        connection = _locked(held, stage, _locking_for_rows())
        yield connection, plan_under_lock(consents, connection, presence=presence, now=now())


@contextmanager
def fenced_alone(held: Claim, *, stage: str) -> Iterator[Connection]:
    """As `fenced`, to write of the connection itself and of no customer's data: no consent is asked.

    Raises StaleLease.
    """
    with transaction.atomic():
        yield _locked(held, stage, _locking_both())


@contextmanager
def ending(held: Claim, *, now: datetime) -> Iterator[Connection]:
    """As `fenced_alone`, for a transaction that ends by handing back the job: that is its fence.

    The connection comes with `is_needed`: whether a live consent reaches it.
    """
    with transaction.atomic():
        yield _locking().get({"connection_id": held.connection_id, "now": now})


def _locked(held: Claim, stage: str, both: CompiledModels[SyncJob]) -> Connection:
    """Connection, then job: another's claim of it waits, and whoever waited here sees what it is by now."""
    for job in both.models({"job_id": held.job_id, "epoch": held.epoch}):
        if job.stage != stage:
            held_jobs.fence(held, stage=stage)
        return job.connection
    raise StaleLease(held.job_id)


@lru_cache(maxsize=1)
def _locking_both() -> CompiledModels[SyncJob]:
    return CompiledModels(_both())


@lru_cache(maxsize=1)
def _locking_for_rows() -> CompiledModels[SyncJob]:
    """With what is needed where an answer is stored; anything else of them is read when it is asked for."""
    return CompiledModels(_both().only(*_FOR_ROWS))


def _both() -> QuerySet[SyncJob]:
    mine = held_jobs.held_by(SLOTS["job_id"], SLOTS["epoch"]).select_related("connection__institution")
    return mine.select_for_update(no_key=True, of=("connection", "self"))


_FOR_ROWS = (
    *("stage", "connection__user_id", "connection__institution_id", "connection__status"),
    *("connection__wrapped_key", "connection__change_sequence"),
    *(f"connection__institution__{name}" for name in ("connector", "timezone", "history_days_max")),
    *(f"connection__institution__{name}" for name in ("unattended_fetches_max", "attested_fetches_max")),
)


@lru_cache(maxsize=1)
def _locking() -> CompiledModels[Connection]:
    rows = Connection.objects.select_for_update(no_key=True, of=("self",)).select_related("institution")
    mine = rows.filter(id=SLOTS["connection_id"]).annotate(is_needed=reaching(SLOTS["now"]))
    return CompiledModels(mine.only(*_FOR_ENDING))


_FOR_ENDING = (
    *("user_id", "status", "change_sequence"),
    *("institution__refresh_minutes", "institution__unattended_fetches_max", "institution__attested_fetches_max"),
)


def require(needs: Plan, account_id: UUID, resource: Resource, *, since: date | None = None) -> None:
    """`since`: the first day of transactions that is asked for, or was answered. Raises NoLongerNeeded."""
    if not needs.needs(account_id, resource):
        raise NoLongerNeeded(resource)
    opened_from = needs.accounts[account_id].since
    if since is not None and (opened_from is None or opened_from > since):
        raise NoLongerNeeded(resource)
