"""An unchanged answer costs a 304; what changed, was narrowed or belongs to another never does."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from banks import disconnect, endings, purge, store
from banks.models import Account, Connection, Institution, Transaction
from banks.normalize.entries import Entry, entry
from banks.reconcile import Asked
from banks.types import Money, TransactionData, TransactionStatus
from consents import clock, lifecycle
from consents.models import BankPolicy, Consent, ConsentAccount
from consents.scopes import LocationPrecision, Scope, SensitiveGroup
from consents.states import ConsentStatus, PolicyStatus
from gateway.identity.models import User
from tests.gateway.api import world
from tests.gateway.api.conftest import LetIn
from tests.gateway.api.world import ALL_ROWS, Api
from tests.support import cast
from tests.support.cast import Member

PATHS = ("/v1/accounts", "/v1/accounts/{id}", "/v1/accounts/{id}/balances", "/v1/accounts/{id}/transactions")
ROWS = PATHS[2:]


def again(api: Api, path: str, etag: str, **query: object) -> Any:
    return api.get(path, query, If_None_Match=etag)


def tag(api: Api, path: str, **query: object) -> str:
    answer = api.get(path, query)
    assert answer.status_code == 200, answer.content
    return str(answer["ETag"])


@pytest.mark.parametrize("path", PATHS)
def test_what_is_unchanged_is_told_so_without_a_body(api: Api, account_id: str, path: str) -> None:
    path = path.format(id=account_id)
    first = api.get(path)

    second = again(api, path, first["ETag"])

    assert (second.status_code, second.content) == (304, b"")
    assert second["ETag"] == first["ETag"] and first["ETag"].startswith('W/"')
    assert "Content-Type" not in second and "Content-Length" not in second
    assert second["Cache-Control"] == "no-store"
    assert "RateLimit" in second and "X-Request-Id" in second
    assert again(api, path, '"other", ' + first["ETag"].removeprefix("W/")).status_code == 304
    assert again(api, path, "*").status_code == 304


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("held", ["", "W/", '"', "nothing", '"other"', 'W/"AAAAAAAAAAAAAAAAAAAAAA"', "a" * 4000])
def test_any_other_tag_gets_the_answer(api: Api, account_id: str, path: str, held: str) -> None:
    path = path.format(id=account_id)

    answer = again(api, path, held)

    assert answer.status_code == 200
    assert answer.json() == api.get(path).json()


@pytest.mark.parametrize("path", PATHS)
def test_it_is_logged_and_counted_as_a_read_that_found_nothing_new(api: Api, account_id: str, path: str) -> None:
    path = path.format(id=account_id)
    answer = again(api, path, tag(api, path))

    told, unchanged = world.usage()
    assert (told.rows, unchanged.rows) == (1, 0)
    assert (unchanged.record, unchanged.account_id) == (told.record, told.account_id)
    assert unchanged.request_id == answer["X-Request-Id"]


@pytest.mark.parametrize("path", ROWS)
def test_its_rows_are_not_read(api: Api, account_id: str, path: str) -> None:
    path = path.format(id=account_id)
    etag = tag(api, path)

    with CaptureQueriesContext(connection) as queries:
        assert again(api, path, etag).status_code == 304

    read = [query["sql"] for query in queries.captured_queries]
    assert any('FROM "banks_account"' in sql for sql in read)
    assert not any('FROM "banks_transaction"' in sql or 'FROM "banks_balance"' in sql for sql in read)


# -- never after a stop -----------------------------------------------------------------------------------------------


def _status(value: ConsentStatus) -> Callable[[Consent], object]:
    return lambda consent: Consent.objects.filter(id=consent.id).update(status=value)


STOPS: dict[str, tuple[Callable[[Consent], object], int]] = {
    "revoked": (cast.revoke, 401),
    "paused": (_status(ConsentStatus.PAUSED), 403),
    "suspended": (_status(ConsentStatus.SUSPENDED), 403),
    "expired": (lambda consent: Consent.objects.filter(id=consent.id).update(expires_at=clock.now()), 401),
    "bank suspends": (lambda _: BankPolicy.objects.update(status=PolicyStatus.SUSPEND), 403),
    "accounts suspended": (lambda _: ConsentAccount.objects.update(status="SUSPENDED"), 403),
}


@pytest.mark.parametrize("name", STOPS)
@pytest.mark.parametrize("path", PATHS)
def test_t20_a_tag_opens_nothing_after_a_stop(api: Api, account_id: str, path: str, name: str) -> None:
    path = path.format(id=account_id)
    etag = tag(api, path)
    stop, status = STOPS[name]
    assert api.tokens is not None

    stop(api.tokens.consent)

    for held in (etag, "*"):
        answer = again(api, path, held)
        assert answer.status_code == status
        assert "ETag" not in answer
    assert len(world.usage()) == 1


def test_t20_a_stop_while_the_tag_is_looked_at_is_no_304(
    api: Api, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from banks import permitted

    path = f"/v1/accounts/{account_id}/transactions"
    etag, commit = tag(api, path), permitted.commit_usage
    assert api.tokens is not None
    consent = api.tokens.consent

    def paused_meanwhile(*arguments: Any, **named: Any) -> None:
        _status(ConsentStatus.PAUSED)(consent)
        commit(*arguments, **named)

    monkeypatch.setattr(permitted, "commit_usage", paused_meanwhile)

    assert again(api, path, etag).status_code == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("held", ["*", None])
def test_without_a_token_a_tag_is_nothing(api: Api, account_id: str, path: str, held: str | None) -> None:
    path = path.format(id=account_id)

    assert again(Api(None), path, held or tag(api, path)).status_code == 401


# -- never for what changed -------------------------------------------------------------------------------------------


def _version(account: Account) -> None:
    Account.objects.for_sync().filter(id=account.id).update(version=F("version") + 1)


def _column(**columns: object) -> Callable[[Account], object]:
    return lambda account: Account.objects.for_sync().filter(id=account.id).update(**columns)


def _policy(**columns: object) -> Callable[[Account], object]:
    return lambda account: BankPolicy.objects.update(**columns)


def _consent(**columns: object) -> Callable[[Account], object]:
    return lambda account: Consent.objects.update(**columns)


LATER = clock.now() + timedelta(hours=3)
TODAY = clock.now().date()
CHANGES: dict[str, tuple[Callable[[Account], object], tuple[str, ...]]] = {
    "a new version": (_version, ROWS),
    "a name": (_column(name="Other"), PATHS[:2]),
    "a closed account": (_column(status="CLOSED"), PATHS[:2]),
    "a list fetched anew": (_column(fetched_at=LATER), PATHS[:2]),
    "balances fetched anew": (_column(balances_as_of=LATER), PATHS[2:3]),
    "transactions fetched anew": (_column(transactions_as_of=LATER), PATHS[3:]),
    "a later refresh": (_column(next_refresh_after=LATER), PATHS),
    "other coverage": (_column(coverage_first_on=TODAY - timedelta(days=9)), PATHS[3:]),
    "a new gap": (_column(coverage_gaps=[[str(TODAY - timedelta(days=9)), str(TODAY - timedelta(days=8))]]), PATHS[3:]),
    "the bank's name": (lambda _: Institution.objects.update(name="Renamed"), PATHS[:2]),
    "a narrower policy": (_policy(history_days_max=5), PATHS),
    "a policy that hides": (_policy(hidden_groups=[SensitiveGroup.HEALTH]), PATHS),
    "a policy without a scope": (_policy(scopes=["accounts", "balances", "transactions"]), PATHS),
    "a revision of the consent": (_consent(revision=F("revision") + 1), PATHS),
    "a narrower consent": (_consent(scopes=["accounts", "balances", "transactions"]), PATHS),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changed_is_sent(let_in: LetIn, account: Account, account_id: str, name: str) -> None:
    api = let_in([*ALL_ROWS, Scope.MERCHANTS, Scope.LOCATIONS], location_precision=LocationPrecision.STORE)
    change, paths = CHANGES[name]
    tags = {path: tag(api, path.format(id=account_id)) for path in paths}

    change(account)

    for path, etag in tags.items():
        answer = again(api, path.format(id=account_id), etag)
        assert answer.status_code == 200, path
        assert answer["ETag"] != etag


def test_a_row_that_is_stored_is_sent_by_its_real_writer(api: Api, account: Account, account_id: str) -> None:
    """Whatever writes rows raises the account's version in the same transaction (banks.store)."""
    path = f"/v1/accounts/{account_id}/transactions"
    etag = tag(api, path)
    (row,) = Transaction.objects.for_sync().filter(account_id=account.id)

    store._removing(account.id, [row.id], clock.now())(account.connection)

    answer = again(api, path, etag)
    assert (answer.status_code, answer.json()["transactions"]) == (200, [])


def _fetched(number: int, amount: str, day: date) -> Entry:
    made = entry(
        TransactionData(
            bank_transaction_id=f"etag-{number}",
            status=TransactionStatus.BOOKED,
            money=Money(Decimal(amount), "GBP"),
            booked_on=day,
            listed_on=day,
            description="purchase",
            raw=b"{}",
        )
    )
    assert isinstance(made, Entry)
    return made


def test_what_the_bank_adds_corrects_and_takes_back_is_sent(api: Api, account: Account, account_id: str) -> None:
    path, day = f"/v1/accounts/{account_id}/transactions", clock.now().date()
    Transaction.objects.for_sync().filter(account_id=account.id).delete()

    for listed in (["-1.00"], ["-1.00", "-2.00"], ["-1.00", "-3.00"], ["-1.00"], []):
        etag = tag(api, path)
        changes = store.compared(
            account.id,
            [_fetched(number, amount, day) for number, amount in enumerate(listed)],
            asked=Asked(since=day, removable_from=day),
        )
        for write in store.writes(account.id, changes, now=clock.now()):
            with transaction.atomic():
                write(Connection.objects.get(id=account.connection_id))

        answer = again(api, path, etag)
        told = [f"-{row['amount'].removeprefix('-')}" for row in answer.json()["transactions"]]
        assert (answer.status_code, sorted(told)) == (200, sorted(listed))


def test_t20_what_was_disconnected_and_purged_fits_no_tag_of_before(
    let_in: LetIn, alice: User, account: Account, account_id: str
) -> None:
    api = let_in()
    tags = {path.format(id=account_id): tag(api, path.format(id=account_id)) for path in PATHS}

    disconnect.disconnect(
        user_id=alice.id, connection_id=account.connection_id, actor=cast.BY_USER, now=clock.now(), deletes_at_once=True
    )
    for is_purged in (False, True):
        if is_purged:
            endings.sweep(now=clock.now())
            assert purge.sweep(now=clock.now()) == 1
        for path, etag in tags.items():
            for held in (etag, "*"):
                answer = again(api, path, held)
                assert answer.status_code in (401, 403, 404)
                assert "ETag" not in answer


@pytest.mark.parametrize("path", ROWS)
def test_rows_that_were_purged_fit_no_tag_of_before_when_they_are_shared_again(
    let_in: LetIn, account: Account, account_id: str, path: str
) -> None:
    """No consent needed them for a while: the account is there still, and its version is as it was."""
    path = path.format(id=account_id)
    etag, version = tag(let_in(), path), Account.objects.for_sync().get(id=account.id).version
    for consent in Consent.objects.all():
        cast.revoke(consent)
    api = let_in([Scope.ACCOUNTS])
    Account.objects.for_sync().update(transactions_unneeded_at=clock.now() - timedelta(days=2))
    assert purge.purge_account(account.id, now=clock.now()) and purge.purge_balances(account.id, now=clock.now())
    assert Account.objects.for_sync().get(id=account.id).version == version

    for reader in (api, let_in()):
        assert again(reader, path, etag).status_code in (200, 403)


def test_a_day_that_leaves_the_window_is_another_answer(
    api: Api, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    BankPolicy.objects.update(history_days_max=30)
    path = f"/v1/accounts/{account_id}/transactions"
    etag = tag(api, path)
    assert again(api, path, etag).status_code == 304
    assert api.tokens is not None
    api.tokens.consent.refresh_from_db()
    from consents.models import AccessToken

    AccessToken.objects.update(expires=clock.now() + timedelta(days=3))
    tomorrow = clock.now() + timedelta(days=1)

    monkeypatch.setattr(clock, "now", lambda: tomorrow)

    assert again(api, path, etag).status_code == 200


# -- never for another answer -----------------------------------------------------------------------------------------


def test_another_platforms_tag_is_not_ours(let_in: LetIn, budget: Member, account: Account, account_id: str) -> None:
    ours, theirs = let_in(), let_in(member=budget)
    their_id = world.seen(budget, "acc", account.id)

    for path in PATHS:
        etag = tag(ours, path.format(id=account_id))
        assert again(theirs, path.format(id=their_id), etag).status_code == 200


def test_another_consents_tag_is_not_this_ones(let_in: LetIn, account_id: str) -> None:
    one, other = let_in(), let_in()

    for path in PATHS:
        assert again(other, path.format(id=account_id), tag(one, path.format(id=account_id))).status_code == 200


def test_another_pages_tag_is_not_this_ones(let_in: LetIn, account: Account, account_id: str) -> None:
    Transaction.objects.for_sync().filter(account_id=account.id).delete()
    world.transactions(account, 5)
    api, path = let_in(), f"/v1/accounts/{account_id}/transactions"
    cursor = api.get(path, {"limit": 2}).json()["next_cursor"]
    today = clock.now().date()
    queries: list[dict[str, object]] = [
        {},
        {"limit": 2},
        {"limit": 2, "cursor": cursor},
        {"from": today - timedelta(days=3)},
        {"to": today},
        {"status": "BOOKED"},
    ]
    tags = [tag(api, path, **query) for query in queries]

    assert len(set(tags)) == len(tags)
    for query in queries:
        assert [again(api, path, one, **query).status_code for one in tags].count(304) == 1


def test_another_accounts_and_another_addresss_tag_fit_nowhere_else(
    let_in: LetIn, alice: User, northbank: Institution, account: Account, chat: Member
) -> None:
    (other,) = world.accounts_of(alice, northbank, ["other"])
    api = let_in(accounts=[account, other])
    paths = [path.format(id=world.seen(chat, "acc", one.id)) for one in (account, other) for path in PATHS[1:]]
    tags = [tag(api, path) for path in ["/v1/accounts", *paths]]

    for path in paths:
        assert [again(api, path, one).status_code for one in tags].count(304) == 1


def test_another_purposes_tag_is_not_this_ones(let_in: LetIn, account_id: str) -> None:
    api = let_in(purposes=["budgeting", "account_overview"])
    path = f"/v1/accounts/{account_id}/balances"
    etag = str(api.get(path, Purpose="budgeting")["ETag"])

    assert api.get(path, Purpose="account_overview", If_None_Match=etag).status_code == 200
    assert api.get(path, Purpose="budgeting", If_None_Match=etag).status_code == 304


def test_where_approvals_decide_row_by_row_there_is_no_tag(let_in: LetIn, account_id: str) -> None:
    api = let_in(on_platform_only=True)
    path = f"/v1/accounts/{account_id}/transactions"

    answer = again(api, path, "*")

    assert answer.status_code == 200 and "ETag" not in answer
    assert "ETag" in api.get(f"/v1/accounts/{account_id}/balances")


def test_changes_have_no_tag(api: Api) -> None:
    assert "ETag" not in api.get("/v1/transactions/sync")
    assert api.get("/v1/transactions/sync", If_None_Match="*").status_code == 200


def test_a_tag_tells_nothing_but_whether_it_fits(api: Api, account: Account, account_id: str) -> None:
    etag = tag(api, f"/v1/accounts/{account_id}/balances")

    assert len(etag) == len('W/""') + 22
    assert UUID(str(account.id)).hex[:8] not in etag


def test_reading_once_more_with_a_tag_does_not_prolong_a_consent_for_one_use(let_in: LetIn, account_id: str) -> None:
    api = let_in()
    assert api.tokens is not None
    Consent.objects.filter(id=api.tokens.consent.id).update(duration_type="ONE_TIME")
    path = f"/v1/accounts/{account_id}/balances"
    etag = tag(api, path)
    ends_at = Consent.objects.get(id=api.tokens.consent.id).expires_at

    assert ends_at <= clock.now() + lifecycle.ONE_TIME_USE
    assert again(api, path, etag).status_code == 304
    assert Consent.objects.get(id=api.tokens.consent.id).expires_at == ends_at
