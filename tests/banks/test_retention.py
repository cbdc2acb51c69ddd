"""What nobody needs goes after a day, and opens for nobody afterwards; what somebody needs again stays whole."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from banks import authority, endings, purge, sessions, vault
from banks.connector import Credentials
from banks.models import (
    Account,
    Balance,
    Connection,
    FetchRecord,
    Finding,
    Institution,
    LinkSuggestion,
    QuarantinedRow,
    RawPayload,
    Transaction,
)
from banks.vault import Unsealable, Vault
from consents.errors import Denied
from consents.models import AuditEntry, Consent, Platform
from consents.scopes import Presence, Scope
from gateway.identity.models import User
from gateway.portal import accounts as labels
from tests.support import cast, ledger

pytestmark = pytest.mark.django_db

NOW = cast.NOW
DAY = timedelta(hours=24)
BALANCES = (Scope.ACCOUNTS, Scope.BALANCES)
ROWS = (*BALANCES, Scope.TRANSACTIONS)
TABLES: tuple[Any, ...] = (Transaction, RawPayload, QuarantinedRow, LinkSuggestion, Balance)


@dataclass
class Link:
    row: Connection
    current: Account
    savings: Account


@pytest.fixture
def northbank(db: None) -> Institution:
    bank = cast.institution(now=NOW)
    cast.permissive_policy(bank, now=NOW)
    return bank


@pytest.fixture
def link(alice: User, northbank: Institution) -> Link:
    row = cast.connection(alice, northbank, now=NOW)
    owner = Vault.of(row.id, row.wrapped_key)
    credentials = Credentials(access_token="access", access_expires_at=NOW, refresh_token="refresh")
    Connection.objects.filter(id=row.id).update(
        bank_consent_id="aac-1",
        sealed_credentials=sessions.sealed(owner, credentials),
        sealed_state=owner.seal("state", b"{}"),
    )
    row.refresh_from_db()
    return Link(row, filled(row, "current"), filled(row, "savings"))


def filled(row: Connection, name: str, *, transactions: int = 3) -> Account:
    """An account with something in every table."""
    account = cast.account(row, name)
    owner = Vault.of(row.id, row.wrapped_key)
    Account.objects.for_sync().filter(id=account.id).update(
        balances_as_of=NOW,
        transactions_as_of=NOW,
        coverage_first_on=date(2026, 1, 1),
        coverage_last_on=NOW.date(),
        proven_opening_minor=100,
        proven_first_on=date(2026, 1, 1),
    )
    Balance.objects.for_sync().create(account=account, type="ITAV", amount_minor=1, currency="GBP", as_of=NOW)
    for _ in range(transactions):
        entry = ledger.transaction(account)
        sealed = owner.seal(f"raw:{entry.id}", b'{"secret": 1}')
        RawPayload.objects.for_sync().create(account=account, transaction_id=entry.id, sealed=sealed)
    QuarantinedRow.objects.for_sync().create(
        account=account,
        digest="d",
        reason="bad_date",
        field="BookingDateTime",
        connector="uk_obie",
        sealed=owner.seal("quarantine:d", b"{}"),
        first_seen_at=NOW,
        last_seen_at=NOW,
    )
    LinkSuggestion.objects.for_sync().create(
        account=account,
        pending_transaction_id=uuid4(),
        booked_transaction_id=uuid4(),
        confidence_percent=80,
        created_at=NOW,
    )
    FetchRecord.objects.create(
        connection=row,
        account_id=account.id,
        resource="balances",
        presence="ABSENT",
        job_id=uuid4(),
        epoch=1,
        fetched_at=NOW,
    )
    account.refresh_from_db()
    return account


def counts(*accounts: Account) -> list[int]:
    """Rows left, by table."""
    ids = [account.id for account in accounts]
    return [table.objects.for_sync().filter(account_id__in=ids).count() for table in TABLES]


def share(alice: User, platform: Platform, *accounts: Account, scopes: Any = ROWS) -> Consent:
    return cast.authorised_consent(alice, platform, scopes, accounts=[cast.choice(one) for one in accounts], now=NOW)


@pytest.fixture
def over(alice: User, chat: Platform, link: Link) -> Consent:
    """Shared, revoked, ended."""
    consent = cast.revoke(share(alice, chat, link.current, link.savings), now=NOW)
    endings.sweep(now=NOW)
    return consent


# -- a whole connection ------------------------------------------------------------------------------------------------


def test_a_day_after_the_last_consent_everything_is_gone_and_not_before(over: Consent, link: Link) -> None:
    assert purge.sweep(now=NOW + DAY - timedelta(seconds=1)) == 0
    assert counts(link.current, link.savings) == [6, 6, 2, 2, 2]

    assert purge.sweep(now=NOW + DAY) == 1

    assert counts(link.current, link.savings) == [0, 0, 0, 0, 0]
    assert not Account.objects.for_sync().exists()
    assert not FetchRecord.objects.exists()
    closed = Connection.objects.get()
    assert (closed.status, closed.purged_at, closed.bank_consent_id) == ("CLOSED", NOW + DAY, "")
    assert bytes(closed.wrapped_key) == b""
    assert closed.sealed_credentials is None and closed.sealed_state is None
    entry = AuditEntry.objects.get(action="connection.closed")
    assert (entry.from_status, entry.to_status, entry.reason_code) == ("REVOKED", "CLOSED", "retention_ended")


def test_a_second_purge_does_nothing(over: Consent, link: Link) -> None:
    purge.sweep(now=NOW + DAY)
    before = Connection.objects.values().get()

    assert purge.sweep(now=NOW + 9 * DAY) == 0
    assert not purge.purge_connection(link.row.id, now=NOW + 9 * DAY, at_once=True)

    assert Connection.objects.values().get() == before


def test_nothing_that_was_sealed_opens_with_an_old_copy_of_it(over: Consent, link: Link) -> None:
    """As somebody would try who kept the ciphertexts: the row's key is the only one that ever opened them."""
    payload = RawPayload.objects.for_sync().first()
    assert payload is not None and link.row.sealed_credentials is not None
    copies = {
        f"raw:{payload.transaction_id}": bytes(payload.sealed),
        "credentials": bytes(link.row.sealed_credentials),
        "quarantine:d": bytes(QuarantinedRow.objects.for_sync().all()[0].sealed),
    }
    kept = Vault.of(link.row.id, Connection.objects.get().wrapped_key)
    assert all(kept.open(field, sealed) for field, sealed in copies.items())  # until then they do open

    purge.sweep(now=NOW + DAY)

    closed = Connection.objects.get()
    with pytest.raises(Unsealable):
        Vault.of(closed.id, closed.wrapped_key)
    for field, sealed in copies.items():
        with pytest.raises(Unsealable):
            Vault.of(closed.id, vault.wrap_new_key(closed.id)).open(field, sealed)


def test_the_user_need_not_wait(over: Consent, link: Link) -> None:
    assert not purge.purge_connection(link.row.id, now=NOW)
    assert purge.purge_connection(link.row.id, now=NOW, at_once=True)

    assert not Account.objects.for_sync().exists()
    assert Connection.objects.get().purged_at == NOW


def test_what_a_live_consent_needs_goes_not_even_at_once(alice: User, chat: Platform, link: Link) -> None:
    share(alice, chat, link.current, link.savings)
    endings.care(now=NOW)

    assert not purge.purge_connection(link.row.id, now=NOW + 9 * DAY, at_once=True)
    assert not purge.purge_account(link.current.id, now=NOW + 9 * DAY, at_once=True)

    assert counts(link.current) == [3, 3, 1, 1, 1]


class Crash(Exception):
    """The process died here."""


@pytest.mark.parametrize("steps", range(12))
def test_after_a_crash_at_any_point_the_next_sweep_finishes(
    over: Consent, link: Link, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    left = iter(range(steps))
    delete_some, close = purge._Rows.delete_some, purge._close

    def dies(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            if next(left, None) is None:
                raise Crash
            return call(*arguments)

        return step

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(purge._Rows, "delete_some", dies(delete_some))
        patch.setattr(purge, "_close", dies(close))
        purge.sweep(now=NOW + DAY)
    midway = Connection.objects.get()
    assert (midway.status, bytes(midway.wrapped_key), midway.purged_at) == ("CLOSED", b"", None)

    assert purge.sweep(now=NOW + DAY) == 1

    assert not Account.objects.for_sync().exists() and counts(link.current, link.savings) == [0] * 5
    assert Connection.objects.get().purged_at == NOW + DAY
    assert AuditEntry.objects.filter(action="connection.closed").count() == 1


def test_many_rows_go_in_small_transactions(
    over: Consent, link: Link, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(purge, "CHUNK", 2)

    purge.sweep(now=NOW + DAY)

    assert not Account.objects.for_sync().exists() and counts(link.current, link.savings) == [0] * 5


def test_findings_about_what_is_gone_are_closed_but_not_what_the_bank_still_holds(over: Consent, link: Link) -> None:
    for kind in ("BALANCE_DRIFT", "UPSTREAM_NOT_ENDED"):
        Finding.objects.create(
            kind=kind, institution=link.row.institution, connection_id=link.row.id, opened_at=NOW, seen_at=NOW
        )

    purge.sweep(now=NOW + DAY)

    assert list(Finding.objects.filter(closed_at=None).values_list("kind", flat=True)) == ["UPSTREAM_NOT_ENDED"]


def test_another_persons_rows_are_not_touched(
    bob: User, chat: Platform, northbank: Institution, over: Consent, link: Link
) -> None:
    row = cast.connection(bob, northbank, now=NOW)
    theirs = filled(row, "current")
    share(bob, chat, theirs)

    purge.sweep(now=NOW + DAY)

    assert counts(theirs) == [3, 3, 1, 1, 1]
    assert Vault.of(row.id, Connection.objects.get(id=row.id).wrapped_key)


def test_an_ended_consent_that_names_a_purged_account_resolves_to_nothing(
    alice: User, over: Consent, link: Link
) -> None:
    rows = [cast.choice(link.current)]
    purge.sweep(now=NOW + DAY)

    assert labels.labels(alice.id, rows, now=NOW + DAY, request_id="req_test") == {}
    assert labels.texts({}, [link.current.id]) == [labels.GONE]
    Consent.objects.filter(id=over.id).update(status="AUTHORISED")  # even if somebody brought it back by hand
    with pytest.raises(Denied):
        authority.permit_for(
            Consent.objects.select_related("user", "platform").get(id=over.id),
            purpose=None,
            presence=Presence.ABSENT,
            now=NOW + DAY,
        )


# -- one account, or its transactions ----------------------------------------------------------------------------------


def test_an_account_that_nobody_was_given_goes_alone(alice: User, chat: Platform, link: Link) -> None:
    share(alice, chat, link.current)
    endings.care(now=NOW)

    purge.sweep(now=NOW + DAY - timedelta(seconds=1))
    assert counts(link.savings) == [3, 3, 1, 1, 1]
    assert purge.sweep(now=NOW + DAY) == 1

    assert [row.id for row in Account.objects.for_sync().all()] == [link.current.id]
    assert (counts(link.savings), counts(link.current)) == ([0] * 5, [3, 3, 1, 1, 1])
    assert list(FetchRecord.objects.values_list("account_id", flat=True)) == [link.current.id]
    living = Connection.objects.get()
    assert living.status == "ACTIVE" and living.sealed_credentials is not None


def test_an_account_that_is_needed_again_in_time_keeps_everything(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    share(alice, chat, link.current)
    endings.care(now=NOW)
    before = Account.objects.for_sync().values().get(id=link.savings.id)
    assert before["unneeded_at"] == NOW

    share(alice, budget, link.savings)
    purge.sweep(now=NOW + DAY)  # before anybody has taken the mark away
    endings.care(now=NOW + DAY)
    purge.sweep(now=NOW + DAY)

    assert Account.objects.for_sync().values().get(id=link.savings.id) == {**before, "unneeded_at": None}
    assert counts(link.savings) == [3, 3, 1, 1, 1]


def test_transactions_go_alone_and_a_later_consent_begins_at_nothing(
    alice: User, chat: Platform, budget: Platform, link: Link
) -> None:
    share(alice, chat, link.current, link.savings, scopes=BALANCES)
    cast.revoke(share(alice, budget, link.current, link.savings), now=NOW)
    endings.sweep(now=NOW)

    purge.sweep(now=NOW + DAY)

    assert counts(link.current, link.savings) == [0, 0, 0, 0, 2]
    row = Account.objects.for_sync().get(id=link.current.id)
    assert row.name == "Current" and row.balances_as_of == NOW
    assert (row.transactions_as_of, row.coverage_first_on, row.coverage_last_on) == (None, None, None)
    assert (row.proven_opening_minor, row.proven_first_on, row.coverage_gaps) == (None, None, [])
    assert row.transactions_unneeded_at is None
    assert endings.care(now=NOW + DAY) == 0 and purge.sweep(now=NOW + 2 * DAY) == 0  # nothing starts over


def test_a_consent_that_needs_them_again_stops_a_purge_halfway_and_nothing_counts_as_covered(
    alice: User, chat: Platform, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(alice, chat, link.current, link.savings, scopes=BALANCES)
    Account.objects.for_sync().filter(id=link.current.id).update(transactions_unneeded_at=NOW)
    monkeypatch.setattr(purge, "CHUNK", 1)
    delete_some, taken = purge._Rows.delete_some, []

    def needed_meanwhile(rows: Any) -> bool:
        taken.append(rows)
        if len(taken) == 2:
            Account.objects.for_sync().filter(id=link.current.id).update(transactions_unneeded_at=None)
        return delete_some(rows)

    monkeypatch.setattr(purge._Rows, "delete_some", needed_meanwhile)

    assert not purge.purge_account(link.current.id, now=NOW + DAY)

    assert len(taken) == 2
    assert counts(link.current)[0] == 3  # what is left is recognised when the window is fetched anew
    assert Account.objects.for_sync().get(id=link.current.id).coverage_last_on is None


@pytest.mark.parametrize("steps", range(6))
def test_an_account_whose_purge_was_interrupted_is_recognised_no_more_and_finished_later(
    alice: User, chat: Platform, link: Link, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    share(alice, chat, link.current)
    endings.care(now=NOW)
    left, delete_some = iter(range(steps)), purge._Rows.delete_some

    def dies(rows: Any) -> bool:
        if next(left, None) is None:
            raise Crash
        return delete_some(rows)

    with monkeypatch.context() as patch:
        patch.setattr(purge._Rows, "delete_some", dies)
        if steps < len(TABLES):
            with pytest.raises(Crash):
                purge.sweep(now=NOW + DAY)
            midway = Account.objects.for_sync().get(id=link.savings.id)
            assert (midway.name, midway.identification_digest, midway.is_covered) == (None, "", False)
            assert midway.bank_account_id != "savings"

    purge.sweep(now=NOW + DAY)

    assert not Account.objects.for_sync().filter(id=link.savings.id).exists() and counts(link.savings) == [0] * 5


def test_balances_go_when_only_names_are_shared(alice: User, chat: Platform, link: Link) -> None:
    share(alice, chat, link.current, scopes=(Scope.ACCOUNTS,))
    share(alice, chat, link.savings, scopes=BALANCES)
    endings.care(now=NOW)

    purge.sweep(now=NOW + DAY)

    assert counts(link.current)[-1] == 0 and counts(link.savings)[-1] == 1
    assert Account.objects.for_sync().get(id=link.current.id).balances_as_of is None


def test_purging_what_is_not_there_is_no_trouble() -> None:
    assert not purge.purge_connection(UUID(int=1), now=NOW)
    assert not purge.purge_account(UUID(int=1), now=NOW)
