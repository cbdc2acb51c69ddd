"""Three rows before the answer: the ones the platform would get, and no other; for the holder alone."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from banks import authority, read
from banks.models import Account, Institution, Transaction
from banks.read import TransactionFilter
from consents import clock
from consents.errors import TransitionRefused
from consents.facts import consent_facts
from consents.models import ApprovedMerchant, BankPolicy, Consent, UsageRow
from consents.ownership import preview_permit
from consents.policy import Permit
from consents.scopes import FIELD_RULES, Presence, Purpose, Record
from consents.states import PlatformStatus
from gateway.identity.models import User
from gateway.portal.connect import field_words, preview, steps
from tests.gateway.portal.conftest import VERIFIER, show_accounts, signed_in
from tests.gateway.portal.html import Page
from tests.support import cast, ledger
from tests.support.cast import Member

SCOPES = ["accounts", "balances", "transactions", "merchants", "locations", "counterparties"]


@pytest.fixture
def question(alice: User, chat: Member) -> Consent:
    found = cast.ask(
        alice,
        chat,
        VERIFIER,
        scopes=SCOPES,
        optional_scopes=["balances", "counterparties"],
        purposes=["account_overview"],
        location_precision="store",
        history_days=60,
    )
    return Consent.objects.get(id=found)


@pytest.fixture
def account(browser: Client, question: Consent, northbank: Institution) -> Account:
    """Shown by the bank and ticked; stored from an earlier link: five payments, one of them too old."""
    (shown, *_) = show_accounts(browser, question, northbank, "everyday", "savings")
    browser.post(f"/connect/{question.id}/accounts/", {"account": [str(shown)]})
    row = Account.objects.for_sync().get(id=shown)
    today = clock.now().date()
    for days, name in ((1, "Corner Books"), (2, "Night Chemist"), (3, "Baker"), (4, "Grocer"), (100, "Old Shop")):
        ledger.transaction(
            row,
            listed_on=today - timedelta(days=days),
            merchant_name=name,
            merchant_key=name.lower(),
            sensitive_group="HEALTH" if name == "Night Chemist" else "NONE",
        )
    return row


def confirm(browser: Client, consent: Consent) -> Page:
    return Page(browser.get(f"/connect/{consent.id}/confirm/"))


def scopes(browser: Client, consent: Consent, **posted: Any) -> None:
    assert browser.post(f"/connect/{consent.id}/scopes/", posted).status_code == 303


def allow(browser: Client, consent: Consent) -> Consent:
    form = confirm(browser, consent).form("/confirm/")
    assert browser.post(form.action, form.hidden).status_code == 303
    return Consent.objects.select_related("user", "platform").get(id=consent.id)


def previewed(browser: Client, consent: Consent, monkeypatch: pytest.MonkeyPatch) -> list[preview.Preview]:
    """As it was on the page."""
    kept: list[list[preview.Preview]] = []
    real = preview.previews

    def noted(*arguments: Any, **named: Any) -> list[preview.Preview]:
        kept.append(real(*arguments, **named))
        return kept[-1]

    monkeypatch.setattr(preview, "previews", noted)
    confirm(browser, consent)
    return kept[-1]


@pytest.mark.parametrize(
    "posted",
    [
        {},
        {"scope": ["balances", "counterparties"], "location_precision": "store"},
        {"hidden_group": ["HEALTH"], "location_precision": "city"},
        {"on_platform_only": "yes"},
    ],
    ids=["as proposed", "everything", "health hidden, town only", "on-platform only"],
)
def test_rows_are_the_very_ones_that_the_platform_reads_after_the_yes(
    browser: Client,
    question: Consent,
    account: Account,
    chat: Member,
    northbank: Institution,
    monkeypatch: pytest.MonkeyPatch,
    posted: dict[str, Any],
) -> None:
    ApprovedMerchant.objects.create(
        platform=chat.platform, institution_id=northbank.id, merchant_key="baker", approved_at=clock.now()
    )
    scopes(browser, question, **posted)
    (seen,) = previewed(browser, question, monkeypatch)

    granted = allow(browser, question)

    now = clock.now()
    permit = authority.permit_for(granted, purpose=None, presence=Presence.PRESENT, now=now)
    got = read.transactions(permit, account.id, TransactionFilter(limit=3), now=now, request_id="req_after")
    assert [dict(row) for row in seen.records] == [dict(row) for row in got.rows]
    assert seen.records and not seen.is_example


def test_page_shows_them_in_words_and_what_stays_hidden(browser: Client, question: Consent, account: Account) -> None:
    scopes(browser, question, hidden_group=["HEALTH"], location_precision="city")

    page = confirm(browser, question)

    for told in (
        "chat would get this, just as it stands here.",
        "Shop Corner Books",
        "Amount \N{MINUS SIGN}12.50 GBP",
        "Town Leeds",
        "A code that only chat gets txn_",
        "1 payment older than it may look back",
        "1 payment of the kinds that stay hidden, or not sorted yet",
        "You left it out: Name of the person",
        "Places are told less closely: Post code, Address of the shop",
    ):
        assert page.says(told), told
    for hidden in ("Night Chemist", "Old Shop", "1 High Street", "Charlie Private"):
        assert not page.says(hidden), hidden


def test_looking_is_nobody_elses_read(browser: Client, question: Consent, account: Account) -> None:
    confirm(browser, question)

    assert not UsageRow.objects.exists()


def test_accounts_that_are_not_ticked_are_not_in_it(
    browser: Client, question: Consent, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Account.objects.for_sync().exclude(id=account.id).get()
    ledger.transaction(other, listed_on=clock.now().date(), merchant_name="Elsewhere")

    (seen,) = previewed(browser, question, monkeypatch)

    assert "Elsewhere" not in [row["merchant_name"] for row in seen.records]


def test_before_anything_is_stored_a_made_up_example_is_called_so_and_cut_to_the_same_fields(
    browser: Client, question: Consent, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    (real,) = previewed(browser, question, monkeypatch)
    Transaction.objects.for_sync().all().delete()

    (seen,) = previewed(browser, question, monkeypatch)

    assert confirm(browser, question).says("Made-up example. We have read nothing at your bank yet.")
    assert seen.is_example and seen.hidden_rows == []
    assert {frozenset(row) - {"id"} for row in seen.records} == {frozenset(real.records[0]) - {"id"}}


def test_where_everything_stored_stays_hidden_that_is_said_and_nothing_is_made_up(
    browser: Client, question: Consent, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    scopes(browser, question, on_platform_only="yes")

    (seen,) = previewed(browser, question, monkeypatch)

    page = confirm(browser, question)
    assert (seen.records, seen.is_example) == ([], False)
    assert page.says("Right now chat would get no payment at all.")
    assert page.says("4 payments not made to chat itself")


def test_a_bank_that_would_serve_nothing_shows_nothing(browser: Client, question: Consent, account: Account) -> None:
    BankPolicy.objects.update(status="BLOCK")

    page = confirm(browser, question)

    assert page.says("Your bank shares nothing for this.")
    assert page.says("Northbank shares nothing with chat.")
    assert not page.says("Corner Books")


def test_of_derived_answers_no_row_is_shown(browser: Client, alice: User, chat: Member, northbank: Institution) -> None:
    found = cast.ask(alice, chat, VERIFIER, scopes=["insights"], purposes=["spending_insights"])
    consent = Consent.objects.get(id=found)
    (shown,) = show_accounts(browser, consent, northbank, "everyday")
    ledger.transaction(Account.objects.for_sync().get(id=shown), listed_on=clock.now().date())
    browser.post(f"/connect/{found}/accounts/", {"account": [str(shown)]})

    page = confirm(browser, consent)

    assert page.says("No account, no balance and no payment is handed over.")
    assert page.says("Spending totals we work out")
    assert not page.says("Corner Books")


def test_purposes_that_open_different_things_are_shown_apart(
    browser: Client, alice: User, chat: Member, northbank: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = cast.ask(
        alice, chat, VERIFIER, scopes=["accounts", "balances"], purposes=["balance_check", "spending_insights"]
    )
    consent = Consent.objects.get(id=found)
    (shown,) = show_accounts(browser, consent, northbank, "everyday")
    ledger.balance(Account.objects.for_sync().get(id=shown))
    browser.post(f"/connect/{found}/accounts/", {"account": [str(shown)]})

    seen = previewed(browser, consent, monkeypatch)

    assert [(one.purposes, one.record) for one in seen] == [
        (["Balance check"], Record.BALANCE),
        (["Spending insights"], Record.ACCOUNT),
    ]
    assert confirm(browser, consent).says("Amount 123.45 GBP")


def test_somebody_elses_preview_is_not_there(bob: User, question: Consent, account: Account) -> None:
    answer = signed_in(bob).get(f"/connect/{question.id}/confirm/")

    assert answer.status_code == 404
    assert b"Corner Books" not in answer.content


# -- the permit behind it ----------------------------------------------------------------------------------------------


def permit_of(consent: Consent, account: Account) -> Permit:
    now = clock.now()
    question = Consent.objects.select_related("user", "platform").get(id=consent.id)
    slices = authority.slices_chosen([cast.choice(account)], question.platform_id, now=now)
    answer = preview_permit(
        consent_facts(steps.everything(question, now)),
        slices,
        PlatformStatus.ACTIVE,
        Purpose.ACCOUNT_OVERVIEW,
        now=now,
        expires_at=now + timedelta(minutes=1),
    )
    assert isinstance(answer, Permit)
    return answer


def test_it_stands_for_no_consent_and_lasts_a_moment(question: Consent, account: Account) -> None:
    permit = permit_of(question, account)

    assert permit.consent_id is None
    assert permit.expires_at <= clock.now() + timedelta(minutes=1)
    assert permit.user_id == question.user_id


def test_an_answered_question_has_none(question: Consent, account: Account) -> None:
    cast.authorise(question, [cast.choice(account)])

    with pytest.raises(TransitionRefused):
        permit_of(question, account)


def test_what_is_kept_back_is_counted_for_no_platform(question: Consent, account: Account) -> None:
    granted = cast.authorise(question, [cast.choice(account)])
    fresh = Consent.objects.select_related("user", "platform").get(id=granted.id)
    permit = authority.permit_for(fresh, purpose=None, presence=Presence.PRESENT, now=clock.now())

    with pytest.raises(ValueError, match="the holder only"):
        read.tally(permit, account.id, now=clock.now())


def test_the_tally_adds_up(question: Consent, account: Account) -> None:
    tally = read.tally(permit_of(question, account), account.id, now=clock.now())

    assert (tally.shown, tally.before_window, tally.in_hidden_groups, tally.off_platform) == (4, 1, 0, 0)


@pytest.mark.parametrize("record", Record)
def test_every_column_that_can_go_over_has_words(record: Record) -> None:
    columns = {rule.name for rule in FIELD_RULES[record]}

    assert columns == set(field_words.FIELD_WORDS[record]) | (field_words.TOLD_ELSEWHERE & columns)


def test_unknown_is_said_and_never_made_up() -> None:
    row = {"listed_on": clock.now().date(), "amount_minor": 0, "currency": "JPY", "merchant_name": None}

    told = dict(field_words.cells(Record.TRANSACTION, row, ""))

    assert (told["Shop"], told["Amount"]) == (field_words.NOT_KNOWN, "0 JPY")


def test_ids_of_accounts_are_codes(account: Account, question: Consent) -> None:
    assert isinstance(account.id, UUID)
    permit = permit_of(question, account)
    rows = read.accounts(permit, now=clock.now(), request_id="req").rows
    told = preview._row(Record.ACCOUNT, rows[0], {account.institution_id: "Northbank"}, question)

    assert ("Your bank", "Northbank") in told
    assert told[-1][1].startswith("acc_") and str(account.id).replace("-", "") not in told[-1][1]
