"""The seam, against real rows: for every scope and every filter, what comes out and above all what does not."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from banks import permitted, read
from banks.errors import AccountNotFound
from banks.models import Account, Institution, Transaction
from banks.read import TransactionFilter
from banks.types import TransactionStatus
from consents import lifecycle
from consents.errors import PermitExpired, ScopeNotGranted
from consents.models import ApprovedMerchant, Consent, ConsentAccount, LodgedReference, Platform, UsageRow
from consents.ownership import owner_permit
from consents.policy import Permit
from consents.scopes import LocationPrecision, Purpose, Record, Scope, SensitiveGroup
from consents.states import ConsentAccountStatus
from tests.support import ledger
from tests.support.ledger import BY_USER, NOW, TODAY

pytestmark = pytest.mark.django_db

ALL = TransactionFilter(limit=500)
YESTERDAY = TODAY - timedelta(days=1)


class World:
    """Alice banks at Acorn; a platform called Chat asks. `permit(...)` is what it may read with these words."""

    def __init__(self) -> None:
        self.alice = ledger.user("alice")
        self.chat = ledger.platform("Chat")
        self.acorn = ledger.institution("acorn")
        self.policy = ledger.policy(self.acorn.id)
        self.link = ledger.connection(self.alice, self.acorn)
        self.current = ledger.account(self.link)

    def consent(self, scopes: Collection[Scope] = ledger.EVERYTHING_RELEASED, **members: Any) -> Consent:
        return ledger.consent(self.alice, self.chat, [self.current], scopes, **members)

    def permit(self, scopes: Collection[Scope] = ledger.EVERYTHING_RELEASED, **members: Any) -> Permit:
        return ledger.permit(self.consent(scopes, **members))

    def row(self, **changes: Any) -> Transaction:
        return ledger.transaction(self.current, **changes)

    def read(self, permit: Permit, wanted: TransactionFilter = ALL, **changes: Any) -> read.TransactionPage:
        return read.transactions(permit, self.current.id, wanted, **{"now": NOW, "request_id": "req", **changes})

    def ids(self, permit: Permit, wanted: TransactionFilter = ALL) -> set[object]:
        return {row["id"] for row in self.read(permit, wanted).rows}


@pytest.fixture
def world() -> World:
    return World()


def _captured() -> AbstractContextManager[Any]:
    return CaptureQueriesContext(connection)


def _selects(queries: Any, table: str) -> list[str]:
    """The column lists of the SELECTs on `table`, FROM onwards left out."""
    return [
        query["sql"].split(" FROM ")[0]
        for query in queries.captured_queries
        if query["sql"].startswith("SELECT") and f'FROM "{table}"' in query["sql"]
    ]


# -- columns: every scope, and all that must be absent ----------------------------------------------------------------

_PLACE = "place_country place_region place_city place_postal_code place_address"
_FOREIGN = "instructed_amount_minor instructed_currency exchange_rate"
_SHOP = "merchant_name category mcc channel"

ACCOUNT_FIELDS = "id institution_id name account_type category status currency masked_number identifications"
TRANSACTION_FIELDS = (
    "id listed_on status booked_on value_on transacted_at amount_minor currency kind "
    f"{_SHOP} {_PLACE} {_FOREIGN} counterparty_name balance_after_minor description"
)

#: Scopes -> fields of an account that must NOT come, or None: the record is closed. All others must.
ACCOUNT_ABSENT: list[tuple[str, str | None]] = [
    ("accounts", "identifications"),
    ("account_numbers", "institution_id name account_type category status currency masked_number"),
    ("balances", "institution_id name account_type category status currency masked_number identifications"),
    ("transactions", "institution_id name account_type category status currency masked_number identifications"),
    ("accounts account_numbers", ""),
]

#: Scopes, precision -> fields of a transaction that must NOT come. All others must.
TRANSACTION_ABSENT: list[tuple[str, str | None, str]] = [
    ("transactions", None, f"{_SHOP} {_PLACE} {_FOREIGN} counterparty_name balance_after_minor description"),
    ("transactions merchants", None, f"{_PLACE} {_FOREIGN} counterparty_name balance_after_minor description"),
    (
        "transactions locations",
        "country",
        f"{_SHOP} place_region place_city place_postal_code place_address counterparty_name balance_after_minor "
        "description",
    ),
    (
        "transactions locations",
        "city",
        f"{_SHOP} place_postal_code place_address counterparty_name balance_after_minor description",
    ),
    ("transactions locations", "store", f"{_SHOP} counterparty_name balance_after_minor description"),
    ("transactions counterparties", None, f"{_SHOP} {_PLACE} {_FOREIGN} balance_after_minor description"),
    ("transactions balances", None, f"{_SHOP} {_PLACE} {_FOREIGN} counterparty_name description"),
    (
        "transactions merchants locations counterparties",
        "city",
        "place_postal_code place_address balance_after_minor description",
    ),
    ("transactions merchants locations counterparties", "store", "balance_after_minor"),
    ("transactions merchants locations counterparties balances", "store", ""),
    ("transactions merchants counterparties", None, f"{_PLACE} {_FOREIGN} balance_after_minor description"),
    ("transactions merchants locations", "store", "counterparty_name balance_after_minor description"),
]


def _scopes(words: str) -> set[Scope]:
    return {Scope(word) for word in words.split()}


@pytest.mark.parametrize(("granted", "absent"), ACCOUNT_ABSENT)
def test_an_account_holds_what_was_granted_and_no_more(world: World, granted: str, absent: str) -> None:
    permit = world.permit(_scopes(granted))

    with _captured() as queries:
        (row,) = read.accounts(permit, now=NOW, request_id="req").rows

    expected = set(ACCOUNT_FIELDS.split()) - set(absent.split())
    assert set(row) == expected | {"as_of", "next_refresh_after"}
    (columns,) = _selects(queries, "banks_account")
    for name in absent.split():
        assert f'"{name}"' not in columns
    for name in expected:
        assert f'"{name}"' in columns


@pytest.mark.parametrize(("granted", "precision", "absent"), TRANSACTION_ABSENT)
def test_a_transaction_holds_what_was_granted_and_no_more(
    world: World, granted: str, precision: str | None, absent: str
) -> None:
    world.row()
    permit = world.permit(_scopes(granted), location_precision=precision and LocationPrecision(precision))

    with _captured() as queries:
        (row,) = world.read(permit).rows

    expected = set(TRANSACTION_FIELDS.split()) - set(absent.split())
    assert set(row) == expected
    assert all(row[name] is not None for name in expected)
    (columns,) = _selects(queries, "banks_transaction")
    for name in absent.split():
        assert f'"{name}"' not in columns
    for name in expected:
        assert f'"{name}"' in columns


def test_a_balance_comes_whole_and_only_with_its_scope(world: World) -> None:
    ledger.balance(world.current)
    permit = world.permit({Scope.BALANCES})

    answer = read.balances(permit, world.current.id, now=NOW, request_id="req")

    (row,) = answer.rows
    assert set(row) == {"type", "amount_minor", "currency", "credit_lines", "as_of"}
    assert row["amount_minor"] == 12345
    assert answer.as_of == NOW


def test_what_is_ours_is_in_no_select_even_when_everything_is_granted(world: World) -> None:
    world.row()
    ledger.balance(world.current)
    permit = world.permit()

    with _captured() as queries:
        read.accounts(permit, now=NOW, request_id="req")
        read.balances(permit, world.current.id, now=NOW, request_id="req")
        world.read(permit)

    columns = " ".join(
        part for table in ("account", "balance", "transaction") for part in _selects(queries, f"banks_{table}")
    )
    for name in (
        "bank_account_id", "identification_digest", "provenance", "content_hash", "identity_key", "raw",
        "bank_transaction_id", "merchant_key", "sensitive_group", "counterparty_kind", "reference_digest",
    ):  # fmt: skip
        assert f'"{name}"' not in columns


READS: dict[Record, Callable[[Permit, Account], object]] = {
    Record.ACCOUNT: lambda permit, of: read.account(permit, of.id, now=NOW, request_id="req"),
    Record.BALANCE: lambda permit, of: read.balances(permit, of.id, now=NOW, request_id="req"),
    Record.TRANSACTION: lambda permit, of: read.transactions(permit, of.id, ALL, now=NOW, request_id="req"),
}


@pytest.mark.parametrize(
    ("granted", "closed"),
    [
        ("accounts", "balance transaction"),
        ("account_numbers", "balance transaction"),
        ("balances", "transaction"),
        ("transactions", "balance"),
    ],
)
def test_a_record_that_was_not_granted_is_closed_and_leaves_no_usage_row(
    world: World, granted: str, closed: str
) -> None:
    permit = world.permit(_scopes(granted))

    for record in closed.split():
        with pytest.raises(ScopeNotGranted), _captured() as queries:
            READS[Record(record)](permit, world.current)
        assert not queries.captured_queries
    assert not UsageRow.objects.exists()


@pytest.mark.parametrize("record", list(Record))
def test_derived_scopes_alone_open_no_record(world: World, record: Record) -> None:
    permit = world.permit({Scope.INSIGHTS, Scope.ALERTS, Scope.ANSWERS}, purposes=frozenset({Purpose.BUDGETING}))

    with pytest.raises(ScopeNotGranted):
        READS[record](permit, world.current)
    with pytest.raises(ScopeNotGranted):
        read.accounts(permit, now=NOW, request_id="req")


def test_a_row_cannot_be_written_to(world: World) -> None:
    world.row()

    (row,) = world.read(world.permit()).rows

    with pytest.raises(TypeError):
        row["amount_minor"] = 0  # type: ignore[index]


# -- rows: history ----------------------------------------------------------------------------------------------------


def test_the_history_window_includes_its_first_day_and_nothing_before(world: World) -> None:
    edge = TODAY - timedelta(days=30)
    inside = [world.row(listed_on=edge), world.row(listed_on=edge + timedelta(days=1)), world.row(listed_on=TODAY)]
    outside = [world.row(listed_on=edge - timedelta(days=1)), world.row(listed_on=date(2024, 1, 1))]

    seen = world.ids(world.permit(history_days=30))

    assert seen == {row.id for row in inside}
    assert not seen & {row.id for row in outside}


def test_a_bank_narrows_the_window_and_a_platform_cannot_filter_its_way_out(world: World) -> None:
    world.policy.history_days_max = 7
    world.policy.save()
    inside, outside = world.row(listed_on=TODAY - timedelta(days=7)), world.row(listed_on=TODAY - timedelta(days=8))

    seen = world.ids(world.permit(), TransactionFilter(start_on=date(2020, 1, 1), limit=500))

    assert inside.id in seen
    assert outside.id not in seen


def test_the_window_is_told_of_coverage_too(world: World) -> None:
    world.current.coverage_first_on = date(2024, 1, 1)
    world.current.coverage_gaps = [
        ["2024-02-01", "2024-02-05"],
        ["2026-02-01", "2026-03-01"],
        ["2026-03-05", "2026-03-06"],
    ]
    world.current.save()
    edge = TODAY - timedelta(days=20)

    coverage = world.read(world.permit(history_days=20)).coverage

    assert coverage.first_on == edge
    assert coverage.gaps == ((edge, date(2026, 3, 1)), (date(2026, 3, 5), date(2026, 3, 6)))


def test_a_bank_that_answered_for_nothing_in_the_window_covers_nothing(world: World) -> None:
    world.current.coverage_first_on, world.current.coverage_last_on = date(2024, 1, 1), date(2024, 6, 30)
    world.current.save()

    coverage = world.read(world.permit(history_days=20)).coverage

    assert (coverage.first_on, coverage.last_on) == (None, None)


# -- rows: status and filters -----------------------------------------------------------------------------------------


def test_what_the_bank_no_longer_lists_never_comes(world: World) -> None:
    removed = world.row(status="REMOVED")
    kept = {world.row(status="BOOKED").id, world.row(status="PENDING").id}

    assert world.ids(world.permit()) == kept
    assert removed.id not in world.ids(world.permit(), TransactionFilter(status=TransactionStatus.REMOVED, limit=500))


@pytest.mark.parametrize("status", ["BOOKED", "PENDING"])
def test_a_status_filter_keeps_its_own(world: World, status: str) -> None:
    rows = {word: world.row(status=word).id for word in ("BOOKED", "PENDING")}

    assert world.ids(world.permit(), TransactionFilter(status=TransactionStatus(status), limit=500)) == {rows[status]}


def test_days_of_a_filter_are_inclusive(world: World) -> None:
    days = {back: world.row(listed_on=TODAY - timedelta(days=back)).id for back in range(5)}
    wanted = TransactionFilter(start_on=TODAY - timedelta(days=3), end_on=TODAY - timedelta(days=1), limit=500)

    assert world.ids(world.permit(), wanted) == {days[1], days[2], days[3]}


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_limit_out_of_range_is_refused(world: World, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        world.read(world.permit(), TransactionFilter(limit=limit))


# -- running balances beside withheld rows ----------------------------------------------------------------------------


def some_groups_are_hidden(world: World) -> Permit:
    return world.permit(hidden_groups=frozenset({SensitiveGroup.HEALTH}))


def only_on_platform_rows_are_shown(world: World) -> Permit:
    return world.permit(on_platform_only=True)


@pytest.mark.parametrize("withholding", [some_groups_are_hidden, only_on_platform_rows_are_shown])
def test_no_running_balance_beside_withheld_rows_whose_amounts_it_would_tell(
    world: World, withholding: Callable[[World], Permit]
) -> None:
    assert "balance_after_minor" in world.permit().slices[0].fields(Record.TRANSACTION)

    fields = withholding(world).slices[0].fields(Record.TRANSACTION)

    assert fields and "balance_after_minor" not in fields


# -- rows: hidden groups ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [g for g in SensitiveGroup if g != "NONE"])
def test_a_hidden_group_is_withheld_and_so_is_what_nobody_has_looked_at(world: World, hidden: SensitiveGroup) -> None:
    rows = {group: world.row(sensitive_group=group).id for group in SensitiveGroup}
    unclassified = world.row(sensitive_group=None)

    seen = world.ids(world.permit(hidden_groups=frozenset({hidden})))

    assert rows[hidden] not in seen
    assert unclassified.id not in seen
    assert seen == set(rows.values()) - {rows[hidden]}


def test_what_the_bank_hides_is_hidden_too(world: World) -> None:
    world.policy.hidden_groups = ["GAMBLING"]
    world.policy.save()
    bets, pills, books = (world.row(sensitive_group=group).id for group in ("GAMBLING", "HEALTH", "NONE"))

    seen = world.ids(world.permit(hidden_groups=frozenset({SensitiveGroup.HEALTH})))

    assert seen == {books}
    assert not seen & {bets, pills}


def test_a_group_added_to_the_vocabulary_later_is_withheld_where_anything_is_hidden(world: World) -> None:
    world.row(sensitive_group="WEAPONS")

    assert world.ids(world.permit(hidden_groups=frozenset({SensitiveGroup.HEALTH}))) == set()


# -- rows: on-platform only -------------------------------------------------------------------------------------------


def _approve(world: World, key: str, *, platform: Platform | None = None, bank: Institution | None = None) -> None:
    ApprovedMerchant.objects.create(
        platform=platform or world.chat, institution_id=(bank or world.acorn).id, merchant_key=key, approved_at=NOW
    )


def _lodge(world: World, text: str, *, at: datetime, platform: Platform | None = None) -> None:
    LodgedReference.objects.create(
        platform=platform or world.chat,
        reference_digest=ledger.reference_digest(text),
        lodged_at=at,
        lodged_on=at.date(),
    )


@pytest.fixture(params=["consent", "policy"])
def narrowed(world: World, request: pytest.FixtureRequest) -> Callable[[], Permit]:
    """A permit with on-platform only, said by the user or by the bank."""

    def permit() -> Permit:
        if request.param == "consent":
            return world.permit(on_platform_only=True)
        world.policy.on_platform_only = True
        world.policy.save()
        return world.permit()

    return permit


def test_only_merchants_that_the_bank_approved_for_this_platform_are_shown(
    world: World, narrowed: Callable[[], Permit]
) -> None:
    birch, other = ledger.institution("birch"), ledger.platform("Other")
    _approve(world, "chat-shop")
    _approve(world, "elsewhere", bank=birch)
    _approve(world, "theirs", platform=other)
    approved = world.row(merchant_key="chat-shop")
    withheld = [
        world.row(merchant_key="elsewhere"),  # approved by another bank
        world.row(merchant_key="theirs"),  # approved for another platform
        world.row(merchant_key="CHAT-SHOP"),  # alike is not the same
        world.row(merchant_key="chat-shop-2"),
        world.row(merchant_key=""),
        world.row(merchant_key=None),  # not yet classified
    ]

    seen = world.ids(narrowed())

    assert seen == {approved.id}
    assert not seen & {row.id for row in withheld}


def test_a_reference_counts_when_it_was_lodged_before_the_bank_listed_the_row(
    world: World, narrowed: Callable[[], Permit]
) -> None:
    seen_at = datetime.combine(YESTERDAY, datetime.min.time(), UTC) + timedelta(hours=18)
    other = ledger.platform("Other")
    _lodge(world, "day before", at=seen_at - timedelta(days=1))
    _lodge(world, "same day, earlier", at=seen_at - timedelta(hours=1))
    _lodge(world, "same day, later", at=seen_at + timedelta(hours=1))
    _lodge(world, "same instant", at=seen_at)
    _lodge(world, "day after", at=seen_at + timedelta(days=1))
    _lodge(world, "another's", at=seen_at - timedelta(days=1), platform=other)
    rows = {
        name: world.row(
            merchant_key=None,
            listed_on=YESTERDAY,
            first_seen_at=seen_at,
            reference_digest=ledger.reference_digest(name),
        ).id
        for name in (
            "day before",
            "same day, earlier",
            "same day, later",
            "same instant",
            "day after",
            "another's",
            "never lodged",
        )
    }

    assert world.ids(narrowed()) == {rows["day before"], rows["same day, earlier"]}


def test_a_reference_lodged_after_the_listed_day_cannot_claim_a_row_we_fetched_late(
    world: World, narrowed: Callable[[], Permit]
) -> None:
    """First linked today, the bank tells a row of last week: who heard of it meanwhile must not claim it."""
    _lodge(world, "guessed", at=NOW - timedelta(days=2))
    row = world.row(
        merchant_key=None,
        listed_on=TODAY - timedelta(days=7),
        first_seen_at=NOW,
        reference_digest=ledger.reference_digest("guessed"),
    )

    assert row.id not in world.ids(narrowed())


def test_without_any_approval_on_platform_only_shows_nothing(world: World, narrowed: Callable[[], Permit]) -> None:
    world.row()
    world.row(merchant_key=None, reference_digest=None)

    assert world.ids(narrowed()) == set()


# -- whose accounts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", list(Record))
def test_an_account_outside_the_consent_does_not_exist(world: World, record: Record) -> None:
    savings = ledger.account(world.link)
    ledger.transaction(savings)
    permit = world.permit()

    for unknown in (savings, Account(id=uuid4())):
        with pytest.raises(AccountNotFound):
            READS[record](permit, unknown)
    assert not UsageRow.objects.exists()


@pytest.mark.parametrize("record", list(Record))
def test_a_consent_that_names_another_persons_account_opens_nothing(world: World, record: Record) -> None:
    charlie = ledger.user("charlie")
    theirs = ledger.account(ledger.connection(charlie, world.acorn))
    ledger.transaction(theirs)
    ledger.balance(theirs)
    permit = ledger.permit(ledger.consent(world.alice, world.chat, [world.current, theirs]))
    assert permit.slice_of(theirs.id) is not None, "the consent must name it, or this proves nothing"

    with pytest.raises(AccountNotFound):
        READS[record](permit, theirs)
    shown = read.accounts(permit, now=NOW, request_id="req").rows
    assert [row["id"] for row in shown] == [world.current.id]


def test_an_account_the_bank_suspended_is_gone_and_its_neighbour_stays(world: World) -> None:
    savings = ledger.account(world.link)
    consent = ledger.consent(world.alice, world.chat, [world.current, savings])
    ConsentAccount.objects.filter(consent=consent, account_id=savings.id).update(status=ConsentAccountStatus.SUSPENDED)

    permit = ledger.permit(consent)

    assert [row["id"] for row in read.accounts(permit, now=NOW, request_id="req").rows] == [world.current.id]
    with pytest.raises(AccountNotFound):
        read.account(permit, savings.id, now=NOW, request_id="req")


def test_accounts_of_two_banks_follow_each_banks_own_limits(world: World) -> None:
    birch = ledger.institution("birch")
    ledger.policy(birch.id, scopes=["balances"])
    card = ledger.account(ledger.connection(world.alice, birch), fetched_at=NOW - timedelta(hours=3))
    permit = ledger.permit(ledger.consent(world.alice, world.chat, [world.current, card]))

    answer = read.accounts(permit, now=NOW, request_id="req")

    by_id = {row["id"]: row for row in answer.rows}
    assert "name" in by_id[world.current.id]
    assert set(by_id[card.id]) == {"id", "as_of", "next_refresh_after"}
    assert answer.as_of == NOW - timedelta(hours=3)
    with pytest.raises(ScopeNotGranted):
        read.transactions(permit, card.id, ALL, now=NOW, request_id="req")


def test_the_holder_sees_all_of_their_own_and_nothing_of_a_strangers(world: World) -> None:
    charlie = ledger.user("charlie")
    theirs = ledger.account(ledger.connection(charlie, world.acorn))
    hidden = world.row(sensitive_group=None, listed_on=date(2020, 1, 1))
    pairs = [(world.acorn.id, world.current.id), (world.acorn.id, theirs.id)]
    permit = owner_permit(world.alice.id, pairs, expires_at=NOW + timedelta(minutes=5))

    assert [row["id"] for row in read.accounts(permit, now=NOW, request_id="req").rows] == [world.current.id]
    assert world.ids(permit) == {hidden.id}
    with pytest.raises(AccountNotFound):
        read.transactions(permit, theirs.id, ALL, now=NOW, request_id="req")
    assert not UsageRow.objects.exists()


# -- the log of every read --------------------------------------------------------------------------------------------


def test_each_read_is_logged_for_the_person_it_is_about(world: World) -> None:
    world.row()
    world.row()
    ledger.balance(world.current)
    consent = world.consent()
    permit = ledger.permit(consent)

    read.accounts(permit, now=NOW, request_id="req-1")
    read.account(permit, world.current.id, now=NOW, request_id="req-2")
    read.balances(permit, world.current.id, now=NOW, request_id="req-3")
    world.read(permit, request_id="req-4")

    rows = list(UsageRow.objects.order_by("request_id"))
    assert [(row.record, row.rows, row.account_id) for row in rows] == [
        ("account", 1, None),
        ("account", 1, world.current.id),
        ("balance", 1, world.current.id),
        ("transaction", 2, world.current.id),
    ]
    for row in rows:
        assert (row.user_id, row.consent_id, row.platform_id) == (world.alice.id, consent.id, world.chat.id)
        assert (row.institution_id, row.purpose, row.attended) == (world.acorn.id, "account_overview", False)
        assert row.scopes == sorted(ledger.EVERYTHING_RELEASED)
        assert (row.month, row.read_at) == (date(2026, 3, 1), NOW)


def test_a_read_that_finds_nothing_is_logged_too(world: World) -> None:
    world.read(world.permit())

    assert UsageRow.objects.get().rows == 0


def test_a_page_counts_the_rows_it_hands_out_and_not_the_one_it_looks_ahead(world: World) -> None:
    for _ in range(3):
        world.row()

    page = world.read(world.permit(), TransactionFilter(limit=2))

    assert len(page.rows) == 2
    assert UsageRow.objects.get().rows == 2


def test_a_read_over_two_banks_is_logged_for_each(world: World) -> None:
    birch = ledger.institution("birch")
    ledger.policy(birch.id)
    card = ledger.account(ledger.connection(world.alice, birch))
    permit = ledger.permit(ledger.consent(world.alice, world.chat, [world.current, card]))

    read.accounts(permit, now=NOW, request_id="req")

    assert set(UsageRow.objects.values_list("institution_id", "rows")) == {(world.acorn.id, 1), (birch.id, 1)}


@pytest.mark.parametrize("record", list(Record))
def test_a_read_refuses_to_be_part_of_somebody_elses_transaction(world: World, record: Record) -> None:
    """Rolled back there, the usage row would be gone after the answer had left."""
    permit = world.permit()

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        READS[record](permit, world.current)

    assert not UsageRow.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_usage_row_is_committed_when_the_rows_come_back() -> None:
    import threading

    from django.db import connections

    world = World()
    world.row()
    world.read(world.permit())
    found: list[int] = []

    def another_connection_looks() -> None:
        found.append(UsageRow.objects.count())
        connections.close_all()

    thread = threading.Thread(target=another_connection_looks)
    thread.start()
    thread.join()

    assert not connection.in_atomic_block
    assert found == [1]


# -- saying stop ------------------------------------------------------------------------------------------------------


def user_revokes(consent: Consent) -> None:
    lifecycle.revoke(consent_id=consent.id, reason="user_revoked", actor=BY_USER, now=NOW)


def user_pauses(consent: Consent) -> None:
    Consent.objects.filter(id=consent.id).update(status="PAUSED")


def operator_suspends(consent: Consent) -> None:
    Consent.objects.filter(id=consent.id).update(status="SUSPENDED")


def clock_runs_out(consent: Consent) -> None:
    Consent.objects.filter(id=consent.id).update(expires_at=NOW)


STOPS = [user_revokes, user_pauses, operator_suspends, clock_runs_out]


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("record", list(Record))
def test_a_stop_between_permit_and_read_ends_the_read(
    world: World, record: Record, stop: Callable[[Consent], None]
) -> None:
    world.row()
    ledger.balance(world.current)
    consent = world.consent()
    permit = ledger.permit(consent)
    stop(consent)

    with pytest.raises(PermitExpired):
        READS[record](permit, world.current)

    assert not UsageRow.objects.exists()


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("record", list(Record))
def test_a_stop_between_the_rows_and_the_usage_row_withholds_the_rows(
    world: World, record: Record, stop: Callable[[Consent], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are in memory already when the person says stop: they must not leave all the same."""
    world.row()
    ledger.balance(world.current)
    consent = world.consent()
    permit = ledger.permit(consent)
    commit, handed_over = permitted.commit_usage, []

    def stopped_just_before(permit: Permit, counts: Any, *args: Any, **words: Any) -> None:
        handed_over.extend(count for _, count in counts)
        stop(consent)
        commit(permit, counts, *args, **words)

    monkeypatch.setattr(permitted, "commit_usage", stopped_just_before)

    with pytest.raises(PermitExpired):
        READS[record](permit, world.current)

    assert handed_over == [1], "the rows must have been read, or this proves nothing"
    assert not UsageRow.objects.exists()


@pytest.mark.parametrize("record", list(Record))
def test_a_permit_ends_at_its_own_clock_without_asking_the_database(world: World, record: Record) -> None:
    world.link.consent_expires_at = NOW + timedelta(minutes=1)
    world.link.save()
    permit = world.permit()

    late = permit.expires_at

    with pytest.raises(PermitExpired), _captured() as queries:
        read.accounts(permit, now=late, request_id="req")
    assert not queries.captured_queries
    assert late == NOW + timedelta(minutes=1)
    with pytest.raises(PermitExpired):
        read.account(permit, world.current.id, now=late, request_id="req")
    with pytest.raises(PermitExpired):
        read.balances(permit, world.current.id, now=late, request_id="req")
    with pytest.raises(PermitExpired):
        world.read(permit, now=late)


# -- pages ------------------------------------------------------------------------------------------------------------


def test_fifteen_hundred_rows_of_one_day_are_paged_without_loss_or_repetition(world: World) -> None:
    Transaction.objects.for_sync().bulk_create(
        ledger.unsaved_transaction(world.current, listed_on=YESTERDAY) for _ in range(1500)
    )
    world.row(listed_on=TODAY)
    world.row(listed_on=TODAY - timedelta(days=2))
    permit = world.permit()
    seen: list[object] = []
    after = None

    for _ in range(10):
        page = world.read(permit, TransactionFilter(limit=200, after=after))
        seen += [row["id"] for row in page.rows]
        after = page.next
        if after is None:
            break

    assert after is None
    assert len(seen) == len(set(seen)) == 1502


def test_a_page_that_ends_exactly_with_the_rows_is_the_last(world: World) -> None:
    for _ in range(4):
        world.row()
    permit = world.permit()

    first = world.read(permit, TransactionFilter(limit=2))
    second = world.read(permit, TransactionFilter(limit=2, after=first.next))

    assert first.next is not None
    assert second.next is None
    assert len({row["id"] for page in (first, second) for row in page.rows}) == 4


def test_rows_come_newest_first(world: World) -> None:
    for back in (3, 1, 2, 1):
        world.row(listed_on=TODAY - timedelta(days=back))

    rows = world.read(world.permit()).rows

    order = [(row["listed_on"], row["id"]) for row in rows]
    assert order == sorted(order, reverse=True)


def test_a_position_from_outside_the_window_opens_nothing_more(world: World) -> None:
    old = world.row(listed_on=date(2024, 5, 1))
    permit = world.permit(history_days=30)

    page = world.read(permit, TransactionFilter(after=read.Position(date(2024, 6, 1), uuid4()), limit=500))

    assert page.rows == []
    assert old.id not in world.ids(permit)


def test_freshness_is_told_and_null_before_the_first_fetch(world: World) -> None:
    world.current.transactions_as_of = None
    world.current.balances_as_of = NOW - timedelta(hours=2)
    world.current.save()
    permit = world.permit()

    assert world.read(permit).as_of is None
    assert read.balances(permit, world.current.id, now=NOW, request_id="req").as_of == NOW - timedelta(hours=2)
