"""What the platform API answers: caller in, JSON-ready dict out. No HTTP framework here.

Every function raises Denied, and for data also AccountNotFound, ScopeNotGranted and PermitExpired.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from banks import directory, read
from banks.directory import InstitutionCard
from banks.errors import AccountNotFound
from banks.read import Answer, Row, Rows, TransactionFilter
from consents.denials import Denial
from consents.errors import PermitExpired
from consents.models import Platform
from consents.policy import Permit, PermitSlice
from consents.scopes import Record
from gateway import pairwise
from gateway.api import change_cursors, cursors, render
from gateway.api.caller import Caller
from gateway.api.etags import Copies
from gateway.api.parameters import ChangeQuery, TransactionQuery
from gateway.api.render import Body

T = TypeVar("T")
Cards = Mapping[UUID, InstitutionCard]


def accounts(caller: Caller, copies: Copies) -> Body | None:
    """None, here and below: it is one of the `copies`, and need not be sent again."""

    def call(permit: Permit) -> tuple[Answer, Cards]:
        cards = _cards(permit.opening(Record.ACCOUNT), copies)
        answer = read.accounts(permit, now=caller.now, request_id=caller.request_id, known=copies.include)
        return answer, cards

    answer, cards = served(caller, call)
    if answer.is_known:
        return None
    return {"accounts": _accounts(caller.platform, answer.rows, cards), **render.freshness(answer)}


def account(caller: Caller, account_id: str, copies: Copies) -> Body | None:
    wanted = _account_id(caller, account_id)

    def call(permit: Permit) -> tuple[Answer, Cards]:
        cards = _cards([part for part in permit.slices if wanted in part.account_ids], copies)
        answer = read.account(permit, wanted, now=caller.now, request_id=caller.request_id, known=copies.include)
        return answer, cards

    answer, cards = served(caller, call)
    if answer.is_known:
        return None
    (body,) = _accounts(caller.platform, answer.rows, cards)
    return {"account": body, **render.freshness(answer)}


def balances(caller: Caller, account_id: str, copies: Copies) -> Body | None:
    wanted = _account_id(caller, account_id)
    answer = served(
        caller,
        lambda permit: read.balances(
            permit, wanted, now=caller.now, request_id=caller.request_id, known=copies.include
        ),
    )
    if answer.is_known:
        return None
    return {
        "account_id": account_id,
        "balances": [render.balance(row) for row in answer.rows],
        **render.freshness(answer),
    }


def transactions(caller: Caller, account_id: str, query: TransactionQuery, copies: Copies) -> Body | None:
    """One page. Raises CursorInvalid too."""
    wanted = _account_id(caller, account_id)
    bound = cursors.binding(caller.consent, wanted, start_on=query.start_on, end_on=query.end_on, status=query.status)
    page = served(
        caller,
        lambda permit: read.transactions(
            permit,
            wanted,
            TransactionFilter(
                start_on=query.start_on,
                end_on=query.end_on,
                status=query.status,
                limit=query.limit,
                after=None if query.cursor is None else cursors.open_sealed(query.cursor, bound),
            ),
            now=caller.now,
            request_id=caller.request_id,
            known=copies.include,
        ),
    )
    if page.is_known:
        return None
    return {
        "transactions": _transactions(caller.platform, account_id, page.rows),
        "next_cursor": None if page.next is None else cursors.seal(page.next, bound),
        **render.freshness(page),
        "coverage": render.coverage(page.coverage),
    }


def changes(caller: Caller, query: ChangeQuery) -> Body:
    """One page of what changed. Raises CursorInvalid and CursorStale too."""
    page = served(
        caller,
        lambda permit: read.changes(
            permit,
            None if query.cursor is None else change_cursors.open_sealed(query.cursor, caller.consent),
            revision=caller.consent.revision,
            limit=query.limit,
            now=caller.now,
            request_id=caller.request_id,
        ),
    )
    told = [one.account_id for one in page.accounts]
    account_ids = dict(zip(told, pairwise.encode_all("acc", caller.platform.id, told), strict=True))
    return {
        "added": _changed(caller.platform, account_ids, page.added),
        "modified": _changed(caller.platform, account_ids, page.modified),
        "removed": _removed(caller.platform, account_ids, page.removed),
        "next_cursor": change_cursors.seal(page.next, caller.consent),
        "has_more": page.has_more,
        "update_status": page.update_status,
        "accounts": [render.progress(one, account_id=account_ids[one.account_id]) for one in page.accounts],
        **render.freshness(page),
    }


def consent(caller: Caller) -> Body:
    """What the user said, and what of it is open now for the purpose named; `denial` says why nothing is."""
    caller.require_active_platform()
    decision = caller.decision
    denial = decision if isinstance(decision, Denial) else None
    return {
        **render.consent(caller.consent, consent_id=consent_id_of(caller)),
        "open": [] if isinstance(decision, Denial) else _open(decision),
        "open_until": None if isinstance(decision, Denial) else render.plain(decision.expires_at),
        "denial": denial and {"code": denial.code, "owner": denial.owner, "suggested_action": denial.action},
    }


def consent_id_of(caller: Caller) -> str:
    """The consent's id as this platform sees it."""
    return pairwise.encode("con", caller.platform.id, caller.consent.id)


def served(caller: Caller, call: Callable[[Permit], T]) -> T:
    """`call`, and when the consent changed under it, the reason as it stands now instead of a bare PermitExpired."""
    try:
        return call(caller.permit)
    except PermitExpired:
        caller.refuse_as_it_stands()
        raise


# -- parts -------------------------------------------------------------------------------------------------------------


def _account_id(caller: Caller, text: str) -> UUID:
    """Raises Denied before AccountNotFound: the second says something about the first's data."""
    permit = caller.permit
    account_id = pairwise.decode("acc", caller.platform.id, text)
    if account_id is None or permit.slice_of(account_id) is None:
        raise AccountNotFound
    return account_id


def _cards(parts: Iterable[PermitSlice], copies: Copies) -> Cards:
    """Of the banks that may be named. What a bank is called is part of the answer, and of its tag."""
    named = [part.institution_id for part in parts if "institution_id" in part.fields(Record.ACCOUNT)]
    cards = directory.by_id(named) if named else {}
    copies.depends_on([f"{one}: {card.slug} {card.name}" for one, card in sorted(cards.items())])
    return cards


def _accounts(platform: Platform, rows: Sequence[Row], cards: Cards) -> list[Body]:
    ids = pairwise.encode_all("acc", platform.id, _uuids(rows, "id"))
    return [
        render.account(row, account_id=account_id, card=_card(row, cards))
        for row, account_id in zip(rows, ids, strict=True)
    ]


def _card(row: Row, cards: Cards) -> InstitutionCard | None:
    institution_id = row.get("institution_id")
    return cards.get(institution_id) if isinstance(institution_id, UUID) else None


def _transactions(platform: Platform, account_id: str, rows: Sequence[Row]) -> list[Body]:
    assert isinstance(rows, Rows)
    id_at = rows.columns.index("id")
    ids = pairwise.encode_all("txn", platform.id, [values[id_at] for values in rows.values])
    return render.transactions(rows, transaction_ids=ids, account_ids=[account_id] * len(rows))


def _changed(platform: Platform, account_ids: Mapping[UUID, str], rows: Sequence[Row]) -> list[Body]:
    ids = pairwise.encode_all("txn", platform.id, _uuids(rows, "id"))
    accounts_of = [account_ids[account_id] for account_id in _uuids(rows, "account_id")]
    # One by one: rows of several accounts may have different columns.
    return [
        render.transaction(row, transaction_id=transaction_id, account_id=account_id)
        for row, transaction_id, account_id in zip(rows, ids, accounts_of, strict=True)
    ]


def _removed(platform: Platform, account_ids: Mapping[UUID, str], rows: Sequence[Row]) -> list[Body]:
    ids = pairwise.encode_all("txn", platform.id, _uuids(rows, "id"))
    return [
        {"transaction_id": transaction_id, "account_id": account_ids[account_id]}
        for transaction_id, account_id in zip(ids, _uuids(rows, "account_id"), strict=True)
    ]


def _open(permit: Permit) -> list[Body]:
    cards = directory.by_id(part.institution_id for part in permit.slices)
    opened = [render.opening(part, cards.get(part.institution_id)) for part in permit.slices]
    return sorted(opened, key=lambda body: str(body["institution"]))


def _uuids(rows: Sequence[Row], name: str) -> list[UUID]:
    return [value for row in rows if isinstance(value := row[name], UUID)]
