"""THE SEAM. All customer data leaves through these functions, against a Permit.

They return read-only records that hold the columns the permit releases and nothing else: a field that was not
consented is not in the SQL. Nothing a caller gets can be followed to a row outside the permit, and no answer is
returned before its usage row is committed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from banks import models
from banks.errors import AccountNotFound
from banks.types import TransactionStatus
from consents.errors import PermitExpired, ScopeNotGranted
from consents.models import ApprovedMerchant, Consent, LodgedReference, UsageRow
from consents.policy import Permit, PermitSlice
from consents.scopes import Presence, Record, SensitiveGroup
from consents.states import ConsentStatus

#: All that may be taken from here: no table, no query (tests/architecture/test_seam.py holds importers to it).
__all__ = [
    "PAGE_LIMIT_MAX",
    "Answer",
    "Coverage",
    "Position",
    "Row",
    "TransactionFilter",
    "TransactionPage",
    "account",
    "accounts",
    "balances",
    "transactions",
]

Row = Mapping[str, object]

PAGE_LIMIT_MAX = 500


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of transactions ended: lists run by (listed_on, id), newest first."""

    listed_on: date
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How complete: first and last day the bank answered for, clipped to the permit's window; gaps in between."""

    first_on: date | None
    last_on: date | None
    gaps: tuple[tuple[date, date], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Rows and how fresh they are; `as_of` is the oldest instant any of them was fetched at, None before the first."""

    rows: Sequence[Row]
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPage(Answer):
    """`next` is None on the last page."""

    next: Position | None
    coverage: Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFilter:
    """Days are inclusive and compared with `listed_on`. `limit` is 1 to PAGE_LIMIT_MAX."""

    start_on: date | None = None
    end_on: date | None = None
    status: TransactionStatus | None = None
    limit: int = 100
    after: Position | None = None


def accounts(permit: Permit, *, now: datetime, request_id: str) -> Answer:
    """Every account the permit opens, by id; each row also tells its `as_of`. Raises ScopeNotGranted, PermitExpired."""
    _still_valid(permit, now)
    read = [(part, _account_rows(permit, part, part.account_ids)) for part in permit.opening(Record.ACCOUNT)]
    counts = [(part, len(rows)) for part, rows in read]
    _commit_usage(permit, counts, Record.ACCOUNT, account_id=None, now=now, request_id=request_id)
    rows = [row for _, part_rows in read for row in part_rows]
    return Answer(rows=sorted(rows, key=lambda row: str(row["id"])), as_of=_oldest(rows))


def account(permit: Permit, account_id: UUID, *, now: datetime, request_id: str) -> Answer:
    """One account, as in `accounts`. Raises AccountNotFound, ScopeNotGranted, PermitExpired."""
    _still_valid(permit, now)
    part = _part(permit, account_id, Record.ACCOUNT)
    rows = _account_rows(permit, part, frozenset({account_id}))
    if not rows:
        raise AccountNotFound(account_id)
    _commit_usage(permit, [(part, 1)], Record.ACCOUNT, account_id=account_id, now=now, request_id=request_id)
    return Answer(rows=rows, as_of=_oldest(rows))


def balances(permit: Permit, account_id: UUID, *, now: datetime, request_id: str) -> Answer:
    """Typed balances of one account. Raises AccountNotFound, ScopeNotGranted, PermitExpired."""
    _still_valid(permit, now)
    part = _part(permit, account_id, Record.BALANCE)
    state = _account_state(permit, account_id)
    found = models.Balance.objects.permitted(permit).filter(account_id=account_id).order_by("type", "currency")
    rows = [MappingProxyType(row) for row in found.values(*part.fields(Record.BALANCE))]
    _commit_usage(permit, [(part, len(rows))], Record.BALANCE, account_id=account_id, now=now, request_id=request_id)
    return Answer(rows=rows, as_of=state.balances_as_of)


def transactions(
    permit: Permit, account_id: UUID, wanted: TransactionFilter, *, now: datetime, request_id: str
) -> TransactionPage:
    """One page, newest first. Raises AccountNotFound, ScopeNotGranted, PermitExpired, ValueError (limit)."""
    if not 1 <= wanted.limit <= PAGE_LIMIT_MAX:
        raise ValueError("limit")
    _still_valid(permit, now)
    part = _part(permit, account_id, Record.TRANSACTION)
    state = _account_state(permit, account_id)
    found = _matching(_permitted_rows(permit, part, account_id), wanted).order_by("-listed_on", "-id")
    fields = part.fields(Record.TRANSACTION)
    rows = [MappingProxyType(row) for row in found.values(*fields)[: wanted.limit + 1]]
    page, more = rows[: wanted.limit], len(rows) > wanted.limit
    counts = [(part, len(page))]
    _commit_usage(permit, counts, Record.TRANSACTION, account_id=account_id, now=now, request_id=request_id)
    return TransactionPage(
        rows=page,
        as_of=state.transactions_as_of,
        next=_position(page[-1]) if more else None,
        coverage=_coverage(state, part),
    )


# -- who may see which rows -------------------------------------------------------------------------------------------


def _still_valid(permit: Permit, now: datetime) -> None:
    if permit.expires_at <= now:
        raise PermitExpired(permit.consent_id)


def _part(permit: Permit, account_id: UUID, record: Record) -> PermitSlice:
    """The slice that opens `record` of this account; an account outside the permit does not exist."""
    part = permit.slice_of(account_id)
    if part is None:
        raise AccountNotFound(account_id)
    if not part.fields(record):
        raise ScopeNotGranted(record)
    return part


def _permitted_rows(permit: Permit, part: PermitSlice, account_id: UUID) -> QuerySet[models.Transaction]:
    """Every row filter of design section 3, in SQL."""
    rows = (
        models.Transaction.objects.permitted(permit)
        .filter(account_id=account_id)
        .exclude(status=TransactionStatus.REMOVED)
    )
    if part.history_from is not None:
        rows = rows.filter(listed_on__gte=part.history_from)
    if part.hidden_groups:
        # Positively listed: a row that nobody has classified yet (null) counts as sensitive.
        shown = [group.value for group in SensitiveGroup if group not in part.hidden_groups]
        rows = rows.filter(sensitive_group__in=shown)
    if part.on_platform_only:
        rows = rows.filter(_on_platform(permit, part))
    return rows


def _on_platform(permit: Permit, part: PermitSlice) -> Q:
    """A merchant the bank approved as the platform's, or a reference it lodged before the bank listed the row."""
    assert permit.platform_id is not None  # only a platform's permit carries this filter
    merchants = ApprovedMerchant.objects.filter(
        platform_id=permit.platform_id, institution_id=part.institution_id, merchant_key=OuterRef("merchant_key")
    )
    references = LodgedReference.objects.filter(
        platform_id=permit.platform_id,
        reference_digest=OuterRef("reference_digest"),
        # Both, or a platform could lodge what it guesses of a payment it has seen elsewhere.
        lodged_on__lte=OuterRef("listed_on"),
        lodged_at__lt=OuterRef("first_seen_at"),
    )
    return Q(Exists(merchants)) | Q(Exists(references))


def _matching(rows: QuerySet[models.Transaction], wanted: TransactionFilter) -> QuerySet[models.Transaction]:
    if wanted.start_on is not None:
        rows = rows.filter(listed_on__gte=wanted.start_on)
    if wanted.end_on is not None:
        rows = rows.filter(listed_on__lte=wanted.end_on)
    if wanted.status is not None:
        rows = rows.filter(status=wanted.status)
    if wanted.after is not None:
        # Two conditions instead of a tuple comparison, which SQLite answers by scanning the account.
        after = wanted.after
        rows = rows.filter(listed_on__lte=after.listed_on).filter(Q(listed_on__lt=after.listed_on) | Q(id__lt=after.id))
    return rows


# -- columns ----------------------------------------------------------------------------------------------------------


def _account_rows(permit: Permit, part: PermitSlice, account_ids: frozenset[UUID]) -> list[Row]:
    found = models.Account.objects.permitted(permit).filter(id__in=account_ids)
    fields = part.fields(Record.ACCOUNT)
    return [
        MappingProxyType({**{name: row[name] for name in fields}, "as_of": row["fetched_at"]})
        for row in found.values(*fields, "fetched_at")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _AccountState:
    balances_as_of: datetime | None
    transactions_as_of: datetime | None
    coverage_first_on: date | None
    coverage_last_on: date | None
    coverage_gaps: list[list[str]]


def _account_state(permit: Permit, account_id: UUID) -> _AccountState:
    """Also the check, in a statement of its own, that the account is the permit's user's."""
    names = tuple(_AccountState.__dataclass_fields__)
    row = models.Account.objects.permitted(permit).filter(id=account_id).values(*names).first()
    if row is None:
        raise AccountNotFound(account_id)
    return _AccountState(**row)


def _coverage(state: _AccountState, part: PermitSlice) -> Coverage:
    """Clipped to the permit's window: what lies before it is not told, not even as a gap."""
    edge = part.history_from or date.min
    first_on, last_on = state.coverage_first_on, state.coverage_last_on
    if first_on is None or (last_on is not None and last_on < edge):
        return Coverage(first_on=None, last_on=None)
    gaps = [(date.fromisoformat(start), date.fromisoformat(end)) for start, end in state.coverage_gaps]
    shown = tuple((max(start, edge), end) for start, end in gaps if end >= edge)
    return Coverage(first_on=max(first_on, edge), last_on=last_on, gaps=shown)


def _position(row: Row) -> Position:
    listed_on, row_id = row["listed_on"], row["id"]
    assert isinstance(listed_on, date) and isinstance(row_id, UUID)
    return Position(listed_on, row_id)


def _oldest(rows: Sequence[Row]) -> datetime | None:
    instants = [row["as_of"] for row in rows]
    return min((instant for instant in instants if isinstance(instant, datetime)), default=None)


# -- the log of every read --------------------------------------------------------------------------------------------


def _commit_usage(
    permit: Permit,
    counts: Sequence[tuple[PermitSlice, int]],
    record: Record,
    *,
    account_id: UUID | None,
    now: datetime,
    request_id: str,
) -> None:
    """Committed before the caller has anything to send. Raises PermitExpired when the consent ended meanwhile.

    The consent is looked at again after the rows were read: an answer on its way when someone says stop is not sent.
    """
    consent_id, platform_id = permit.consent_id, permit.platform_id
    if consent_id is None or platform_id is None:
        return  # the holder looking at their own
    with transaction.atomic(durable=True):
        if not _consent_holds(consent_id, now):
            raise PermitExpired(consent_id)
        UsageRow.objects.bulk_create(
            UsageRow(
                month=now.date().replace(day=1),
                user_id=permit.user_id,
                consent_id=consent_id,
                platform_id=platform_id,
                institution_id=part.institution_id,
                account_id=account_id,
                record=record,
                purpose=permit.purpose or "",
                scopes=sorted(part.released),
                rows=count,
                attended=part.presence != Presence.ABSENT,
                request_id=request_id,
                read_at=now,
            )
            for part, count in counts
        )


def _consent_holds(consent_id: UUID, now: datetime) -> bool:
    return Consent.objects.filter(id=consent_id, status=ConsentStatus.AUTHORISED, expires_at__gt=now).exists()
