"""Which stored account a listed one is: a wrong answer would hand one account's consent to another."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from banks import accounts
from banks.errors import BankFormatChanged
from banks.models import Account, Connection
from banks.types import AccountCategory, AccountData, AccountStatus, Identification
from tests.support import cast

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

CURRENT = AccountData(
    bank_account_id="bank-1",
    category=AccountCategory.DEPOSIT,
    account_type="CACC",
    name="Everyday",
    currency="GBP",
    status=AccountStatus.OPEN,
    identifications=(Identification(scheme_name="SortCodeAccountNumber", value="00991012345678"),),
    masked_number="5678",
)


def upserted(link: Connection, data: AccountData, *, numbers: bool = False, now: datetime = NOW) -> Account:
    (account,) = listed(link, data, numbers=numbers, now=now)
    return account


def listed(link: Connection, *fetched: AccountData, numbers: bool = False, now: datetime = NOW) -> list[Account]:
    """The bank lists these; what each of them is here afterwards."""
    stored = Account.objects.for_sync().filter(connection=link).order_by("id")
    pairs = accounts.recognised(stored, fetched)
    ids = accounts.upsert(link, pairs, with_numbers=lambda _: numbers, now=now)
    ours = {theirs: account_id for account_id, theirs in ids.items()}
    return [Account.objects.for_sync().get(id=ours[data.bank_account_id]) for data in fetched]


def a_link() -> Connection:
    return cast.connection(cast.alice(), cast.institution(now=NOW), now=NOW)


def test_an_account_that_says_the_same_is_looked_at_and_not_changed() -> None:
    link = a_link()
    before = upserted(link, CURRENT)

    after = upserted(link, CURRENT, now=NOW + timedelta(days=1))

    assert (after.id, after.version) == (before.id, before.version)
    assert after.fetched_at == NOW + timedelta(days=1)


def test_a_new_name_raises_the_version() -> None:
    link = a_link()
    before = upserted(link, CURRENT)

    after = upserted(link, replace(CURRENT, name="Holidays"))

    assert (after.id, after.name, after.version) == (before.id, "Holidays", before.version + 1)


def test_whole_numbers_are_kept_only_when_somebody_may_read_them_and_go_when_nobody_may() -> None:
    link = a_link()

    assert upserted(link, CURRENT).identifications == []
    assert upserted(link, CURRENT, numbers=True).identifications[0]["value"] == "00991012345678"
    assert upserted(link, CURRENT).identifications == []


def test_the_number_recognises_an_account_and_tells_nothing() -> None:
    link = a_link()
    before = upserted(link, CURRENT)

    after = upserted(link, replace(CURRENT, bank_account_id="bank-2"))

    assert (after.id, after.bank_account_id) == (before.id, "bank-2")
    assert "12345678" not in after.identification_digest
    assert Account.objects.for_sync().count() == 1


def test_accounts_without_numbers_are_never_taken_for_each_other() -> None:
    link = a_link()
    bare = replace(CURRENT, identifications=())

    listed(link, bare, replace(bare, bank_account_id="bank-2"), numbers=True)

    assert Account.objects.for_sync().count() == 2


def number(value: str, scheme: str = "IBAN") -> tuple[Identification, ...]:
    return (Identification(scheme_name=scheme, value=value),)


def test_the_same_id_with_other_numbers_is_another_account() -> None:
    link = a_link()
    before = upserted(link, CURRENT)

    after = upserted(link, replace(CURRENT, identifications=number("00991087654321"), masked_number="4321"))

    before.refresh_from_db()
    assert after.id != before.id
    assert before.masked_number == "5678"


def test_an_account_first_told_without_numbers_is_the_same_once_they_are_told() -> None:
    link = a_link()
    before = upserted(link, replace(CURRENT, identifications=()))

    after = upserted(link, CURRENT)

    assert after.id == before.id


def test_pockets_of_one_number_stay_apart_when_the_bank_gives_them_new_ids() -> None:
    link = a_link()
    pounds, euros = CURRENT, replace(CURRENT, bank_account_id="bank-2", currency="EUR")
    before = listed(link, pounds, euros)

    after = listed(link, replace(euros, bank_account_id="bank-8"), replace(pounds, bank_account_id="bank-9"))

    assert [row.id for row in after] == [before[1].id, before[0].id]
    assert [row.currency for row in after] == ["EUR", "GBP"]


def test_two_cards_with_the_same_last_digits_are_never_taken_for_each_other() -> None:
    link = a_link()
    card = replace(CURRENT, account_type="CARD", identifications=number("************1234", "MaskedPAN"))
    (before,) = listed(link, card)

    (after,) = listed(link, replace(card, bank_account_id="bank-2"))

    assert after.id != before.id


def test_an_account_that_two_stored_ones_could_be_is_a_new_one() -> None:
    link = a_link()
    one = upserted(link, CURRENT)
    Account.objects.for_sync().filter(id=one.id).update(bank_account_id="moved")
    two = Account(**{**Account.objects.for_sync().values().get(id=one.id), "id": link.id, "bank_account_id": "other"})
    two.save(force_insert=True)

    after = upserted(link, replace(CURRENT, bank_account_id="bank-9"))

    assert after.id not in (one.id, two.id)


def test_a_bank_that_lists_one_id_twice_is_not_believed() -> None:
    with pytest.raises(BankFormatChanged):
        accounts.recognised([], [CURRENT, CURRENT])


def test_an_account_that_was_closed_and_opened_again_is_the_same_one() -> None:
    link = a_link()
    before = upserted(link, CURRENT)

    closed = upserted(link, replace(CURRENT, status=AccountStatus.CLOSED))
    reopened = upserted(link, replace(CURRENT, bank_account_id="bank-2"))

    assert closed.id == reopened.id == before.id
    assert (closed.status, reopened.status) == ("CLOSED", "OPEN")
    assert reopened.version == before.version + 2


def test_an_account_that_was_not_listed_for_a_while_is_the_same_when_it_is_again() -> None:
    link = a_link()
    savings = replace(CURRENT, bank_account_id="bank-2", identifications=number("00991099999999"))
    before = listed(link, CURRENT, savings)

    listed(link, CURRENT)
    after = listed(link, CURRENT, replace(savings, bank_account_id="bank-7"))

    assert [row.id for row in after] == [row.id for row in before]


def test_ids_that_a_bank_hands_out_anew_go_to_the_accounts_with_their_numbers() -> None:
    """The worst of reissuing: the old id of one account is now the id of the other."""
    link = a_link()
    savings = replace(CURRENT, bank_account_id="bank-2", identifications=number("00991099999999"))
    current, saved = listed(link, CURRENT, savings)

    after = listed(link, replace(CURRENT, bank_account_id="bank-2"), replace(savings, bank_account_id="bank-1"))

    assert [row.id for row in after] == [current.id, saved.id]


@pytest.mark.parametrize("scheme", ["MaskedPAN", "PAN"])
def test_a_masked_number_never_recognises_a_card_under_a_new_id_even_if_it_is_the_only_one(scheme: str) -> None:
    link = a_link()
    card = replace(CURRENT, account_type="CARD", identifications=number("XXXXXXXXXXXX1234", scheme))
    before = upserted(link, card)

    after = upserted(link, replace(card, bank_account_id="bank-2"))

    assert after.id != before.id
    assert before.identification_digest == after.identification_digest == ""
