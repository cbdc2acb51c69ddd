"""What Sluice makes of the card issuer, which speaks an older version, and of one consent that spans both banks."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from banks.errors import AccountNotFound
from banks.models import Account, Balance, Institution, LinkSuggestion, SyncJob, Transaction
from banks.sandbox.card_people import SCENARIOS as CARD_SCENARIOS
from banks.sandbox.histories import ledger_of
from banks.sandbox.ledger import Entry
from banks.sandbox.people import SCENARIOS
from consents import clock, policies
from consents.errors import Denied, ScopeNotGranted
from consents.models import Consent, Platform
from consents.policies import PolicyTerms
from consents.scopes import Purpose, Scope
from consents.states import PolicyStatus
from gateway.identity.models import User
from tests.banks.scenarios.register import outcome_of
from tests.banks.scenarios.scene import ASKS_THE_USER, Scene, kept, permit, served
from tests.support import cast, linked
from tests.support.linked import ROWS, Linked
from tests.support.sandbox_bank import SandboxBank

pytestmark = pytest.mark.django_db

SLUG = "card-issuer"
#: Every trip of a year is in it.
A_YEAR = 390

Play = Callable[..., Scene]


@pytest.fixture(scope="module")
def issuer() -> Iterator[SandboxBank]:
    with SandboxBank(kind="card", redirect_uri=linked.redirect_uri(SLUG)) as running:
        yield running


@pytest.fixture
def cards(issuer: SandboxBank, db: None) -> Iterator[Linked]:
    yield Linked(issuer, slug=SLUG, name="Harbour Card", version=issuer.version, history_days_max=395)
    issuer.control("DELETE", "/control/clock")


@pytest.fixture
def play_card(cards: Linked, alice: User, chat: Platform) -> Play:
    def begin(customer: str, *, history_days: int = 20) -> Scene:
        return Scene(cards, customer, alice, chat).link(history_days=history_days)

    return begin


def entries(customer: str, today: date) -> dict[str, Entry]:
    """TransactionId -> what the issuer's books hold, over all cards of the customer."""
    accounts = CARD_SCENARIOS[customer].accounts
    return {entry.id: entry for account in accounts for entry in ledger_of(account, today).entries}


# -- cards -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("customer", ["cardholder", "twocards", "overlimit", "unused"])
@outcome_of("cardholder", "twocards", "overlimit", "unused")
def test_cards_are_complete_to_the_penny_and_stay_so(play_card: Play, customer: str) -> None:
    scene = play_card(customer)

    assert scene.sync().status == "COMMITTED"
    before = scene.ids()
    assert scene.sync().status == "COMMITTED"

    assert scene.ids() == before
    for account in scene.accounts:
        assert account.category == "CREDIT_CARD"
        there = CARD_SCENARIOS[customer].account(account.bank_account_id)
        assert there is not None and account.masked_number == there.card_ending
        assert kept(account) == scene.books(there)
        ledger = ledger_of(there, scene.today())
        booked = Balance.objects.for_sync().get(account_id=account.id, type="ITBD")
        assert (booked.amount_minor, booked.currency) == (ledger.booked_minor, "GBP")
    assert (scene.standing(), scene.findings(), scene.quarantine(), scene.told()) == (("ACTIVE", ""), [], [], [])
    assert {path.split(" ")[1].split("/aisp")[0] for path in scene.seen().paths() if "accounts" in path} == {
        "/open-banking/v3.1"
    }


def test_purchases_are_below_zero_refunds_above_and_foreign_money_is_exact(play_card: Play) -> None:
    scene = play_card("cardholder", history_days=A_YEAR)
    assert scene.sync().status == "COMMITTED"
    there = entries("cardholder", scene.today())

    rows = {str(row.bank_transaction_id): row for row in scene.live()}
    assert kept(scene.account) == scene.books(CARD_SCENARIOS["cardholder"].accounts[0])
    assert {row.amount_minor < 0 for row in rows.values() if row.kind == "CARD_PAYMENT"} == {True}
    refunds = [row for row in rows.values() if there[str(row.bank_transaction_id)].draft.kind == "card-refund"]
    assert refunds and all(row.amount_minor > 0 for row in refunds)

    abroad = {one: row for one, row in rows.items() if there[one].draft.foreign is not None}
    assert {row.instructed_currency for row in abroad.values()} == {"JPY", "KWD", "USD"}
    for one, row in abroad.items():
        foreign = there[one].draft.foreign
        assert foreign is not None and row.exchange_rate is not None
        sign = -1 if row.amount_minor < 0 else 1
        assert (row.instructed_amount_minor, row.instructed_currency) == (sign * foreign.amount_minor, foreign.currency)
        assert Decimal(row.exchange_rate) == Decimal(foreign.rate_e4) / 10_000
    assert {row.instructed_currency for one, row in rows.items() if one not in abroad} == {None}


# -- what is held before it is booked ----------------------------------------------------------------------------------


def named(scene: Scene, name: str, *statuses: str) -> list[Transaction]:
    rows = [row for row in linked.rows(scene.account) if name in (row.description or "")]
    return sorted((row for row in rows if row.status in statuses), key=lambda row: row.listed_on)


def test_a_hold_that_books_at_another_amount_under_its_id_keeps_ours(play_card: Play) -> None:
    scene = play_card("cardholder")
    scene.sync()
    today = scene.today()
    holds = {row.id: row for row in linked.rows(scene.account) if row.status == "PENDING" and row.amount_minor == -100}
    assert holds  # a pump asks for one pound first
    scene.world.bank.control("POST", "/control/clock", json={"days_ahead": 3})

    scene.sync()

    booked = [row for row in linked.rows(scene.account) if row.id in holds]
    assert [(row.status, row.link_method, row.revision) for row in booked] == [("BOOKED", "bank", 2)] * len(holds)
    assert all(row.amount_minor < -100 for row in booked)
    assert all(row.listed_on > today for row in booked)
    assert kept(scene.account) == scene.books(CARD_SCENARIOS["cardholder"].accounts[0])


def test_a_tip_under_a_new_id_is_suggested_and_never_linked(play_card: Play) -> None:
    scene = play_card("cardholder")
    scene.sync()
    there = entries("cardholder", scene.today())
    held = {
        row.id: row
        for row in linked.rows(scene.account)
        if row.status == "PENDING" and _is_tipped(there[str(row.bank_transaction_id)])
    }
    assert held
    scene.world.bank.control("POST", "/control/clock", json={"days_ahead": 3})

    scene.sync()

    gone = [row for row in linked.rows(scene.account) if row.id in held]
    assert {(row.status, row.link_method) for row in gone} == {("REMOVED", None)}
    suggested = list(LinkSuggestion.objects.for_sync())
    assert {one.pending_transaction_id for one in suggested} == held.keys()
    for one in suggested:
        assert 1 <= one.confidence_percent <= 90
        bill = held[one.pending_transaction_id].amount_minor
        booked = Transaction.objects.for_sync().get(account_id=scene.account.id, id=one.booked_transaction_id)
        assert (booked.status, booked.revision, booked.link_method) == ("BOOKED", 1, None)
        assert booked.amount_minor == -(-bill + -bill // 8)
    assert kept(scene.account) == scene.books(CARD_SCENARIOS["cardholder"].accounts[0])


def _is_tipped(entry: Entry) -> bool:
    return entry.draft.authorisation is not None and entry.draft.authorisation.outcome == "new-id"


# -- the end of a consent that its version has no word for -------------------------------------------------------------


def test_a_consent_that_ran_out_there_is_known_by_its_date(play_card: Play, issuer: SandboxBank) -> None:
    """The issuer answers 401 without a body, and goes on calling the consent Authorised."""
    scene = play_card("cardholder")
    scene.sync()
    bank_consent_id = scene.connection.bank_consent_id
    let_run_out(issuer, bank_consent_id)
    mark = scene.world.mark()

    job = scene.sync()

    assert (job.status, job.error_code) == ("FAILED", "bank_consent_ended")
    seen = scene.seen(mark)
    assert [row["status"] for row in seen.resources] == [401]
    assert [row["status"] for row in seen.of(bank_consent_id)] == [200]
    assert scene.standing() == ("REVOKED", "bank_consent_ended")
    assert scene.told() == [ASKS_THE_USER]
    with pytest.raises(Denied):
        scene.served()


def let_run_out(bank: SandboxBank, bank_consent_id: str) -> None:
    """In the bank's own file: the consent ended a minute ago."""
    ended_at = clock.now().replace(microsecond=0) - timedelta(minutes=1)
    (file,) = (bank.directory / "data").glob("*.sqlite3")
    with sqlite3.connect(file, timeout=10) as books:
        changed = books.execute(
            "UPDATE sandbox_accountaccessconsent SET expires_at = ?, expiration = ? WHERE consent_id = ?",
            (ended_at.strftime("%Y-%m-%d %H:%M:%S"), ended_at.isoformat(), bank_consent_id),
        )
        assert changed.rowcount == 1
    books.close()


# -- one consent over both banks ---------------------------------------------------------------------------------------


class Both:
    """Alice shares her accounts of both banks with Chat by one consent; both were synced once."""

    def __init__(self, first: Linked, cards: Linked, user: User, platform: Platform, *, history_days: int = 40) -> None:
        self.first, self.cards = first, cards
        lodged = first.lodged(user, platform, ROWS, history_days=history_days)
        first.link(lodged, "happy")
        cards.link(lodged, "cardholder")
        self.consent: Consent = first.grant(lodged)

    def accounts(self, bank: Linked) -> list[Account]:
        return [row for row in linked.accounts() if row.institution_id == bank.institution.id]

    def sync(self, bank: Linked) -> SyncJob:
        connection = self.accounts(bank)[0].connection
        waiting = SyncJob.objects.filter(connection=connection, status="QUEUED").first()
        return linked.run(waiting) if waiting else _again(connection)

    def limit(self, bank: Linked, **terms: Any) -> None:
        """The bank puts a new policy in force."""
        defaults: dict[str, Any] = {
            "scopes": frozenset(Scope),
            "purposes": frozenset(Purpose),
            "requires_fapi2": False,
        }
        policies.sign(
            institution_id=bank.institution.id,
            platform_id=None,
            terms=PolicyTerms(**{**defaults, **terms}),
            approved_by=[cast.stranger()],
            actor=cast.BY_OPERATOR,
            now=clock.now(),
        )


def _again(connection: linked.Connection) -> SyncJob:
    from banks import job_requests
    from banks.models import SyncTrigger

    job_id = job_requests.enqueue(connection.id, trigger=SyncTrigger.USER_PRESENT, now=clock.now())
    return linked.run(SyncJob.objects.get(id=job_id))


@pytest.fixture
def both(world: Linked, cards: Linked, alice: User, chat: Platform) -> Both:
    return Both(world, cards, alice, chat)


def test_one_consent_reads_both_banks_each_from_its_own_books(both: Both) -> None:
    assert [both.sync(bank).status for bank in (both.first, both.cards)] == ["COMMITTED", "COMMITTED"]

    assert Consent.objects.count() == 1
    assert len(both.accounts(both.first)) == 2 and len(both.accounts(both.cards)) == 1
    assert {part.institution_id for part in permit(both.consent).slices} == set(
        Institution.objects.values_list("id", flat=True)
    )
    for account in linked.accounts():
        assert len(served(both.consent, account.id)) == len(kept(account)) > 0
    there = {account.account_id for account in SCENARIOS["happy"].accounts}
    assert {row.bank_account_id for row in both.accounts(both.first)} == there


@pytest.mark.parametrize("stopped", ["card", "first"])
def test_a_bank_that_suspends_a_platform_stops_its_own_accounts_and_no_others(both: Both, stopped: str) -> None:
    both.sync(both.first)
    both.sync(both.cards)
    out, still = (both.cards, both.first) if stopped == "card" else (both.first, both.cards)
    both.limit(out, status=PolicyStatus.SUSPEND)
    marks = {bank.slug: bank.mark() for bank in (out, still)}

    for account in both.accounts(out):
        with pytest.raises(AccountNotFound):
            served(both.consent, account.id)
    for account in both.accounts(still):
        assert served(both.consent, account.id)
    job = both.sync(out)
    assert (job.status, job.error_code) == ("CANCELLED", "not_needed")
    assert out.seen(after=marks[out.slug]).resources == []
    assert both.sync(still).status == "COMMITTED"
    assert still.seen(after=marks[still.slug]).of("/transactions")
    assert {row.connection.status for row in linked.accounts()} == {"ACTIVE"}


def test_each_banks_history_and_scopes_hold_for_its_own_accounts_alone(both: Both) -> None:
    today = clock.now().date()
    both.limit(both.cards, history_days_max=15)
    both.sync(both.first)
    both.sync(both.cards)

    (card,) = both.accounts(both.cards)
    assert min(row.listed_on for row in linked.rows(card)) >= today - timedelta(days=15)
    for account in both.accounts(both.first):
        assert account.coverage_first_on == both.consent.history_from
    assert both.consent.history_from == today - timedelta(days=40)

    both.limit(both.cards, scopes=frozenset({Scope.ACCOUNTS, Scope.BALANCES}))
    mark = both.cards.mark()
    assert both.sync(both.cards).status == "COMMITTED"
    assert both.cards.seen(after=mark).of("/balances")
    assert both.cards.seen(after=mark).of("/transactions") == []
    with pytest.raises(ScopeNotGranted):
        served(both.consent, card.id)
    assert served(both.consent, both.accounts(both.first)[0].id)
