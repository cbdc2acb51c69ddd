"""Accounts, balances and transactions of the accounts a customer ticked (UK Open Banking)."""

from datetime import UTC, date, datetime, time
from typing import Any

from django.http import HttpRequest, HttpResponse

from banks.sandbox import behaviours, dates, garbage, paging
from banks.sandbox.answers import CONSENT_MISMATCH, INVALID_DATE, ObError, data
from banks.sandbox.customers import SCENARIOS
from banks.sandbox.door import CustomerAccess, for_customers
from banks.sandbox.histories import ledger_of
from banks.sandbox.ledger import Entry
from banks.sandbox.people import BankAccount
from banks.sandbox.permissions import ACCOUNTS, BALANCES, CREDITS, DEBITS, TRANSACTIONS
from banks.sandbox.profile import PROFILE
from banks.sandbox.statement import transaction
from banks.sandbox.wire import direction, instant, money


def list_accounts(request: HttpRequest, access: CustomerAccess, account_id: str | None = None) -> HttpResponse:
    """GET /accounts and /accounts/{AccountId}."""
    access.require(*ACCOUNTS)
    detail = "ReadAccountsDetail" in access.permissions
    rows = [_account(account, detail=detail) for account in _chosen(access, account_id)]
    return data(request, {"Account": rows})


def list_balances(request: HttpRequest, access: CustomerAccess, account_id: str | None = None) -> HttpResponse:
    """GET /balances and /accounts/{AccountId}/balances: interim booked and interim available."""
    access.require(BALANCES)
    chosen = _chosen(access, account_id)
    rows = [row for account in chosen for row in _balances(account, access)]
    return garbage.balances(data(request, {"Balance": rows}), chosen)


def list_transactions(request: HttpRequest, access: CustomerAccess, account_id: str | None = None) -> HttpResponse:
    """GET /transactions and /accounts/{AccountId}/transactions: newest first, in pages."""
    access.require(*TRANSACTIONS)
    chosen = _chosen(access, account_id)
    page = paging.asked_for(request, access.today)
    rows = _rows(request, access, chosen, page)
    detail = "ReadTransactionsDetail" in access.permissions
    shown = [
        behaviours.transaction(access, transaction(account, entry, detail=detail), entry)
        for account, entry in paging.cut(rows, page)
    ]
    total = paging.total_pages(len(rows))
    meta: dict[str, Any] = {"TotalPages": total}
    if chosen:
        meta["FirstAvailableDateTime"] = _midnight(min(ledger_of(account, page.today).first_on for account in chosen))
        meta["LastAvailableDateTime"] = _midnight(page.today)
    if page.number == 1:
        garbage.transactions(shown, chosen)
    return data(request, {"Transaction": shown}, links=paging.links(request, page, total), meta=meta)


accounts = for_customers(GET=list_accounts)
balances = for_customers(GET=list_balances)
transactions = for_customers(GET=list_transactions)


def _chosen(access: CustomerAccess, account_id: str | None) -> tuple[BankAccount, ...]:
    """The accounts under the consent, or the one asked for. An account elsewhere and one that never was: one 403."""
    ticked = tuple(account for account in access.person.accounts if account.account_id in access.account_ids)
    if account_id is None:
        return ticked
    one = tuple(account for account in ticked if account.account_id == account_id)
    if not one:
        raise ObError(403, (CONSENT_MISMATCH, "The consent does not cover this account."), path="AccountId")
    return one


def _account(account: BankAccount, *, detail: bool) -> dict[str, Any]:
    """OBAccount6Basic, or with `detail` OBAccount6Detail."""
    opened = _midnight(account.opened_on)
    row: dict[str, Any] = {
        "AccountId": account.account_id,
        "Status": "Enabled",
        "StatusUpdateDateTime": opened,
        "Currency": account.currency,
        PROFILE.standard.account_category_member: "Personal",
        PROFILE.standard.account_type_member: PROFILE.standard.account_types[account.type_code],
        "Description": account.description,
        "Nickname": account.nickname,
        "OpeningDate": opened,
    }
    if detail:
        row["Account"] = [
            {"SchemeName": scheme, "Identification": number, "Name": _holder_name(account)}
            for scheme, number in account.identifications.items()
        ]
        name = {"Name": PROFILE.name} if PROFILE.standard.servicer_name else {}
        row["Servicer"] = {"SchemeName": "UK.OBIE.BICFI", "Identification": PROFILE.bic} | name
    return row


def _holder_name(account: BankAccount) -> str:
    return account.names or SCENARIOS[account.holder].full_name


def _balances(account: BankAccount, access: CustomerAccess) -> list[dict[str, Any]]:
    ledger = ledger_of(account, access.today)
    as_of = instant(access.now)
    booked = _balance(account, "ITBD", ledger.booked_minor, as_of)
    available = _balance(account, "ITAV", ledger.available_minor, as_of)
    if account.credit_line_minor:
        limit = money(account.credit_line_minor, account.currency)
        kind = "Credit" if account.is_card else "Pre-Agreed"
        available["CreditLine"] = [{"Included": True, "Type": kind, "Amount": limit}]
    return [booked, available]


def _balance(account: BankAccount, kind: str, minor: int, as_of: str) -> dict[str, Any]:
    return {
        "AccountId": account.account_id,
        "CreditDebitIndicator": direction(minor),
        "Type": PROFILE.standard.balance_types[kind],
        "DateTime": as_of,
        "Amount": money(minor, account.currency),
    }


def _rows(
    request: HttpRequest, access: CustomerAccess, chosen: tuple[BankAccount, ...], page: paging.Page
) -> list[tuple[BankAccount, Entry]]:
    """Entries inside the consent's and the request's window, on the permitted side, newest first."""
    consent = access.consent
    starts = [_wall(consent.transaction_from), _filter(request, "fromBookingDateTime")]
    ends = [_wall(consent.transaction_to), _filter(request, "toBookingDateTime")]
    earliest = max((start for start in starts if start), default=None)
    latest = min((end for end in ends if end), default=None)
    credits, debits = CREDITS in access.permissions, DEBITS in access.permissions
    rows = [
        (account, entry)
        for account in chosen
        for entry in behaviours.entries(access, ledger_of(account, page.today).entries, page.number)
        if (credits if entry.draft.amount_minor >= 0 else debits) and _within(entry.draft.day, earliest, latest)
    ]
    if len(chosen) > 1:
        rows.sort(key=lambda row: row[1].draft.day, reverse=True)
    return rows


def _within(day: date, earliest: datetime | None, latest: datetime | None) -> bool:
    booked = datetime.combine(day, time())
    return (earliest is None or earliest <= booked) and (latest is None or booked <= latest)


def _filter(request: HttpRequest, name: str) -> datetime | None:
    text = request.GET.get(name)
    if text is None:
        return None
    try:
        return dates.wall_clock(text)
    except ValueError as problem:
        raise ObError(400, (INVALID_DATE, "Not an ISO 8601 date-time."), path=name) from problem


def _wall(text: str) -> datetime | None:
    return dates.wall_clock(text) if text else None


def _midnight(day: date) -> str:
    return instant(datetime.combine(day, time(), UTC))
