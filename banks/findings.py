"""What an operator should look at: opened once, told again while it lasts, closed when it is seen to be right."""

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.db.models import QuerySet

from banks.compiled import SLOTS, Compiled
from banks.models import Connection, Finding, FindingKind


def open_finding(
    kind: FindingKind, connection: Connection, *, account_id: UUID | None = None, code: str, now: datetime
) -> bool:
    """Whether it is a new one; an open one is seen again, with the newest code. The caller holds the connection's lock,
    so that no two are opened."""
    seen = _open(kind, connection.id, account_id).update(seen_at=now, code=code)
    if seen:
        return False
    Finding.objects.create(
        kind=kind,
        institution_id=connection.institution_id,
        connection_id=connection.id,
        account_id=account_id,
        code=code,
        opened_at=now,
        seen_at=now,
    )
    return True


def close_finding(
    kind: FindingKind, connection: Connection, *, account_id: UUID | None = None, code: str | None = None, now: datetime
) -> None:
    """Does nothing when none is open, or one with another code than `code`."""
    found = _open(kind, connection.id, account_id)
    (found if code is None else found.filter(code=code)).update(closed_at=now)


def open_kinds(connection_id: UUID, account_id: UUID) -> frozenset[FindingKind]:
    """What is open of this account."""
    found = _opened().rows({"connection_id": connection_id, "account_id": account_id})
    return frozenset(FindingKind(kind) for (kind,) in found)


@lru_cache(maxsize=1)
def _opened() -> Compiled:
    values = {name: SLOTS[name] for name in ("connection_id", "account_id")}
    return Compiled(Finding.objects.filter(**values, closed_at=None).values_list("kind"))


def is_open(kind: FindingKind, connection_id: UUID, *, account_id: UUID | None = None, code: str) -> bool:
    if account_id is None:
        return _open(kind, connection_id, None).filter(code=code).exists()
    return bool(_told().rows({"kind": kind, "connection_id": connection_id, "account_id": account_id, "code": code}))


@lru_cache(maxsize=1)
def _told() -> Compiled:
    values = {name: SLOTS[name] for name in ("kind", "connection_id", "account_id", "code")}
    return Compiled(Finding.objects.filter(**values, closed_at=None).values_list("id")[:1])


def _open(kind: FindingKind, connection_id: UUID, account_id: UUID | None) -> QuerySet[Finding]:
    return Finding.objects.filter(kind=kind, connection_id=connection_id, account_id=account_id, closed_at=None)
