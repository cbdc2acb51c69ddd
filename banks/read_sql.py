"""The queries of the hot reads, each compiled once for its shape. banks.read's inner half, beside banks.permitted.

Every query here stands once, as a query of the ORM over values or over slots: tests run it both ways and hold the rows
to each other. A shape is all that decides the text: which columns, which filters, and no value of anybody's.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from banks import models, permitted
from banks.compiled import SLOTS, Compiled, id_slots
from banks.errors import AccountNotFound
from banks.permitted import AccountState
from banks.records import Position, TransactionFilter
from banks.types import TransactionStatus
from consents.policy import Permit, PermitSlice
from consents.scopes import Record, SensitiveGroup

Rows = list[tuple[Any, ...]]
Values = Mapping[str, Any]

#: How many shapes are kept: far more than platforms ask for in practice.
_SHAPES_MAX = 512


# -- one account ------------------------------------------------------------------------------------------------------

STATE_COLUMNS = tuple(AccountState.__dataclass_fields__)


def account_state(permit: Permit, account_id: UUID) -> AccountState:
    """Also the check, in a statement of its own, that the account is the permit's user's. Raises AccountNotFound."""
    rows = _state().rows(_values(permit, account_id))
    if not rows:
        raise AccountNotFound(account_id)
    return AccountState(**dict(zip(STATE_COLUMNS, rows[0], strict=True)))


def state_query(values: Values) -> QuerySet[models.Account, Any]:
    found = models.Account.objects.within(values["user_id"], [values["account_id"]])
    return found.values_list(*STATE_COLUMNS)


@lru_cache(maxsize=1)
def _state() -> Compiled:
    return Compiled(state_query(SLOTS))


@dataclass(frozen=True, slots=True)
class RecordShape:
    """Of what is listed whole: the columns that are read, and of how many accounts."""

    columns: tuple[str, ...]
    count: int = 1


def account_rows(permit: Permit, account_ids: Collection[UUID], columns: tuple[str, ...]) -> Rows:
    """Of those that are the permit's user's."""
    values = {f"id_{number}": account_id for number, account_id in enumerate(account_ids)}
    return _accounts(RecordShape(columns, len(account_ids))).rows({**values, "user_id": permit.user_id})


def accounts_query(shape: RecordShape, values: Values) -> QuerySet[models.Account, Any]:
    wanted = [values[f"id_{number}"] for number in range(shape.count)]
    return models.Account.objects.within(values["user_id"], wanted).values_list(*shape.columns)


@lru_cache(maxsize=_SHAPES_MAX)
def _accounts(shape: RecordShape) -> Compiled:
    slots = {**SLOTS, **id_slots(shape.count)}
    return Compiled(accounts_query(shape, slots), slots=slots)


def balances(permit: Permit, part: PermitSlice, account_id: UUID) -> Rows:
    return _balances(RecordShape(part.fields(Record.BALANCE))).rows(_values(permit, account_id))


def balances_query(shape: RecordShape, values: Values) -> QuerySet[models.Balance, Any]:
    found = models.Balance.objects.within(values["user_id"], [values["account_id"]])
    return found.order_by("type", "currency").values_list(*shape.columns)


@lru_cache(maxsize=_SHAPES_MAX)
def _balances(shape: RecordShape) -> Compiled:
    return Compiled(balances_query(shape, SLOTS))


# -- a page of transactions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PageShape:
    """Which columns and filters; the flags say whether a value comes for them.

    `limit` is here because PostgreSQL, planning for any limit, reckons with a tenth of the account.
    """

    columns: tuple[str, ...]
    limit: int
    hidden_groups: frozenset[SensitiveGroup]
    on_platform_only: bool
    status: TransactionStatus | None
    starts: bool
    ends: bool
    continues: bool


def page(permit: Permit, part: PermitSlice, account_id: UUID, wanted: TransactionFilter, *, limit: int) -> Rows:
    """The first `limit` of the rows that may be shown and are wanted, newest first.

    The account was checked to be the permit's user's (`account_state`); that it is the slice's is checked here.
    """
    if account_id not in part.account_ids or part not in permit.slices:
        raise AccountNotFound(account_id)
    return _page(page_shape(part, wanted, limit)).rows(page_values(permit, part, account_id, wanted))


def page_shape(part: PermitSlice, wanted: TransactionFilter, limit: int) -> PageShape:
    return PageShape(
        columns=part.fields(Record.TRANSACTION),
        limit=limit,
        hidden_groups=part.hidden_groups,
        on_platform_only=part.on_platform_only,
        status=wanted.status,
        starts=wanted.start_on is not None,
        ends=wanted.end_on is not None,
        continues=wanted.after is not None,
    )


def page_values(permit: Permit, part: PermitSlice, account_id: UUID, wanted: TransactionFilter) -> dict[str, Any]:
    after = wanted.after or Position(date.min, account_id)
    return {
        **_values(permit, account_id),
        "platform_id": permit.platform_id,
        "institution_id": part.institution_id,
        "history_from": part.history_from or date.min,
        "start_on": wanted.start_on,
        "end_on": wanted.end_on,
        "after_on": after.listed_on,
        "after_id": after.id,
    }


def page_query(shape: PageShape, values: Values) -> QuerySet[models.Transaction, Any]:
    filters = permitted.RowFilters(
        platform_id=values["platform_id"],
        institution_id=values["institution_id"],
        history_from=values["history_from"],
        on_platform_only=shape.on_platform_only,
        hidden_groups=shape.hidden_groups,
    )
    rows = permitted.live(models.Transaction.objects.within(values["user_id"], [values["account_id"]]), filters)
    ordered = _matching(rows, shape, values).order_by("-listed_on", "-id")
    return ordered.values_list(*shape.columns)[: shape.limit]


def _matching(rows: QuerySet[models.Transaction], shape: PageShape, values: Values) -> QuerySet[models.Transaction]:
    if shape.starts:
        rows = rows.filter(listed_on__gte=values["start_on"])
    if shape.ends:
        rows = rows.filter(listed_on__lte=values["end_on"])
    if shape.status is not None:
        rows = rows.filter(status=shape.status)
    if shape.continues:
        # Two conditions instead of a tuple comparison, which SQLite answers by scanning the account.
        day, row_id = values["after_on"], values["after_id"]
        rows = rows.filter(listed_on__lte=day).filter(Q(listed_on__lt=day) | Q(id__lt=row_id))
    return rows


@lru_cache(maxsize=_SHAPES_MAX)
def _page(shape: PageShape) -> Compiled:
    return Compiled(page_query(shape, SLOTS), by_values=True)


def _values(permit: Permit, account_id: UUID) -> dict[str, Any]:
    return {"user_id": permit.user_id, "account_id": account_id}
