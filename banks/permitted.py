"""What a permit lets out: which rows, how fresh they are, and the log of every read. banks.read's inner half.

Each row filter of design section 3 stands here once, as a condition: lists and deltas are made from the same ones.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from banks import models, usage_sql
from banks.errors import AccountNotFound
from banks.records import Coverage, Tally
from banks.types import TransactionStatus
from consents import lifecycle
from consents.errors import PermitExpired, ScopeNotGranted
from consents.models import ApprovedMerchant, Consent, LodgedReference
from consents.policy import Permit, PermitSlice
from consents.scopes import Presence, Record, SensitiveGroup
from consents.states import ConsentStatus

# -- who may see which rows -------------------------------------------------------------------------------------------


def still_valid(permit: Permit, now: datetime) -> None:
    """Raises PermitExpired."""
    if permit.expires_at <= now:
        raise PermitExpired(permit.consent_id)


def part_of(permit: Permit, account_id: UUID, record: Record) -> PermitSlice:
    """The slice that opens `record` of this account; an account outside the permit does not exist.

    Raises AccountNotFound, ScopeNotGranted.
    """
    part = permit.slice_of(account_id)
    if part is None:
        raise AccountNotFound(account_id)
    if not part.fields(record):
        raise ScopeNotGranted(record)
    return part


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilters:
    """What of a slice decides which transactions are let out. The values may be slots (banks.compiled)."""

    platform_id: UUID | None
    institution_id: UUID
    history_from: date
    on_platform_only: bool
    hidden_groups: frozenset[SensitiveGroup]


def filters_of(permit: Permit, part: PermitSlice) -> RowFilters:
    return RowFilters(
        platform_id=permit.platform_id,
        institution_id=part.institution_id,
        history_from=part.history_from or date.min,
        on_platform_only=part.on_platform_only,
        hidden_groups=part.hidden_groups,
    )


def live_rows(permit: Permit, part: PermitSlice, account_id: UUID) -> QuerySet[models.Transaction]:
    """The transactions of one account that may be shown now; `account_id` was checked to be the permit's user's."""
    return live(models.Transaction.objects.permitted(permit).filter(account_id=account_id), filters_of(permit, part))


def live(rows: QuerySet[models.Transaction], filters: RowFilters) -> QuerySet[models.Transaction]:
    return rows.filter(shown(filters)).exclude(status=TransactionStatus.REMOVED)


def tally(permit: Permit, part: PermitSlice, account_id: UUID) -> Tally:
    """What each of the filters above takes away, one after the other."""
    rows = models.Transaction.objects.permitted(permit).filter(account_id=account_id)
    filters = filters_of(permit, part)
    window = in_window(filters)
    open_groups = window & not_hidden(filters)
    counted = rows.exclude(status=TransactionStatus.REMOVED).aggregate(
        all=Count("id"),
        in_window=Count("id", filter=window),
        in_open_groups=Count("id", filter=open_groups),
        shown=Count("id", filter=open_groups & on_platform(filters)),
    )
    return Tally(
        shown=counted["shown"],
        before_window=counted["all"] - counted["in_window"],
        in_hidden_groups=counted["in_window"] - counted["in_open_groups"],
        off_platform=counted["in_open_groups"] - counted["shown"],
    )


def shown(filters: RowFilters) -> Q:
    """Every row filter of design section 3, as one condition in SQL. Never empty."""
    return in_window(filters) & not_hidden(filters) & on_platform(filters)


def in_window(filters: RowFilters) -> Q:
    return Q(listed_on__gte=filters.history_from)


def not_hidden(filters: RowFilters) -> Q:
    if not filters.hidden_groups:
        return Q()
    # Positively listed: a row that nobody has classified yet (null) counts as sensitive.
    return Q(sensitive_group__in=[group.value for group in SensitiveGroup if group not in filters.hidden_groups])


def on_platform(filters: RowFilters) -> Q:
    """A merchant the bank approved as the platform's, or a reference it lodged before the bank listed the row."""
    if not filters.on_platform_only:
        return Q()
    assert filters.platform_id is not None  # only a platform's permit carries this filter
    merchants = ApprovedMerchant.objects.filter(
        platform_id=filters.platform_id,
        institution_id=filters.institution_id,
        merchant_key=OuterRef("merchant_key"),
    )
    references = LodgedReference.objects.filter(
        platform_id=filters.platform_id,
        reference_digest=OuterRef("reference_digest"),
        # Both, or a platform could lodge what it guesses of a payment it has seen elsewhere.
        lodged_on__lte=OuterRef("listed_on"),
        lodged_at__lt=OuterRef("first_seen_at"),
    )
    return Q(Exists(merchants)) | Q(Exists(references))


# -- columns, and how fresh they are ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What is known of one account's freshness; nothing of it needs a scope of its own."""

    id: UUID
    connection_id: UUID
    version: int  #: raised whenever anything a reader could see changed, but for the instants here
    balances_as_of: datetime | None
    transactions_as_of: datetime | None
    coverage_first_on: date | None
    coverage_last_on: date | None
    coverage_gaps: list[list[str]]
    bank_first_on: date | None
    next_refresh_after: datetime | None


def account_states(permit: Permit, account_ids: frozenset[UUID]) -> list[AccountState]:
    """By id. Also the check, in a statement of its own, that accounts are the permit's user's: others are absent."""
    names = tuple(AccountState.__dataclass_fields__)
    found = models.Account.objects.permitted(permit).filter(id__in=account_ids).order_by("id")
    return [AccountState(**row) for row in found.values(*names)]


def coverage(state: AccountState, part: PermitSlice) -> Coverage:
    """Clipped to the permit's window: what lies before it is not told, not even as a gap."""
    edge = part.history_from or date.min
    first_on, last_on = state.coverage_first_on, state.coverage_last_on
    if first_on is None or (last_on is not None and last_on < edge):
        return Coverage(first_on=None, last_on=None)
    gaps = [(date.fromisoformat(start), date.fromisoformat(end)) for start, end in state.coverage_gaps]
    told = tuple((max(start, edge), end) for start, end in gaps if end >= edge)
    return Coverage(first_on=max(first_on, edge), last_on=last_on, gaps=told)


def still_ahead(instant: datetime | None, now: datetime) -> datetime | None:
    """`next_refresh_after` as it is told: one that has passed is None, which means now."""
    return instant if instant is not None and instant > now else None


def earliest(instants: Sequence[datetime | None]) -> datetime | None:
    """Of several `next_refresh_after`: the first at which a refresh does anything; None: now."""
    ahead = [instant for instant in instants if instant is not None]
    return min(ahead, default=None) if len(ahead) == len(instants) else None


# -- the log of every read --------------------------------------------------------------------------------------------


def commit_usage(
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
    rows = [
        {
            "month": now.date().replace(day=1),
            "user_id": permit.user_id,
            "consent_id": consent_id,
            "platform_id": platform_id,
            "institution_id": part.institution_id,
            "account_id": account_id,
            "record": record.value,
            "purpose": permit.purpose.value if permit.purpose else "",
            "scopes": sorted(scope.value for scope in part.released),
            "rows": count,
            "attended": part.presence != Presence.ABSENT,
            "presence": part.presence.value,
            "request_id": request_id,
            "read_at": now,
        }
        for part, count in counts
    ]
    with _whole(permit):
        if not usage_sql.commit(rows, holding, now=now):
            raise PermitExpired(consent_id)
        if permit.is_one_time:
            lifecycle.begin_use(consent_id, now=now)


def holding(consent_id: UUID, now: datetime) -> QuerySet[Consent]:
    """The consent, if it may still be read under. Either may be a slot."""
    return Consent.objects.filter(id=consent_id, status=ConsentStatus.AUTHORISED, expires_at__gt=now)


def _whole(permit: Permit) -> AbstractContextManager[object]:
    """A transaction that is committed when it is left, and never a part of another; one statement is one by itself."""
    if usage_sql.is_one_statement() and not permit.is_one_time and transaction.get_autocommit():
        return nullcontext()
    return transaction.atomic(durable=True)
