"""The vocabulary held against the design's words, written out here a second time and in another form."""

from collections.abc import Callable
from itertools import combinations

import pytest

from consents import scopes
from consents.scopes import LocationPrecision, Purpose, Record, Scope, opened_fields

Rule = Callable[[set[str], str | None], bool]

# -- which field opens when: the expectation, field by field ----------------------------------------------------------


def _any_of(*names: str) -> Rule:
    return lambda granted, precision: bool(granted & set(names))


def _row_with(*names: str, closer_than: tuple[str, ...] = ("country", "city", "store", "nothing")) -> Rule:
    return lambda granted, precision: (
        "transactions" in granted and granted >= set(names) and (precision or "nothing") in closer_than
    )


EXPECTED: dict[Record, dict[str, Rule]] = {
    Record.ACCOUNT: {
        "id": _any_of("accounts", "account_numbers", "balances", "transactions"),
        **dict.fromkeys(
            ("institution_id", "name", "account_type", "category", "status", "currency", "masked_number"),
            _any_of("accounts"),
        ),
        "identifications": _any_of("account_numbers"),
    },
    Record.BALANCE: dict.fromkeys(("type", "amount_minor", "currency", "credit_lines", "as_of"), _any_of("balances")),
    Record.TRANSACTION: {
        **dict.fromkeys(
            (
                "id",
                "listed_on",
                "status",
                "booked_on",
                "value_on",
                "transacted_at",
                "amount_minor",
                "currency",
                "kind",
            ),
            _row_with(),
        ),
        **dict.fromkeys(("merchant_name", "category", "mcc", "channel"), _row_with("merchants")),
        "place_country": _row_with("locations", closer_than=("country", "city", "store")),
        "place_region": _row_with("locations", closer_than=("city", "store")),
        "place_city": _row_with("locations", closer_than=("city", "store")),
        "place_postal_code": _row_with("locations", closer_than=("store",)),
        "place_address": _row_with("locations", closer_than=("store",)),
        **dict.fromkeys(
            ("instructed_amount_minor", "instructed_currency", "exchange_rate"),
            _row_with("locations", closer_than=("country", "city", "store")),
        ),
        "counterparty_name": _row_with("counterparties"),
        "balance_after_minor": _row_with("balances"),
        "description": _row_with("merchants", "locations", "counterparties", closer_than=("store",)),
    },
}


@pytest.mark.parametrize("precision", [None, *LocationPrecision])
@pytest.mark.parametrize("record", list(Record))
def test_every_combination_of_scopes_opens_exactly_the_expected_fields(
    record: Record, precision: LocationPrecision | None
) -> None:
    for size in range(len(Scope) + 1):
        for granted in combinations(Scope, size):
            words = {str(scope.value) for scope in granted}
            expected = {name for name, opens in EXPECTED[record].items() if opens(words, precision and precision.value)}

            assert set(opened_fields(record, granted, precision)) == expected, (words, precision)


@pytest.mark.parametrize("scope", ["insights", "alerts", "answers"])
@pytest.mark.parametrize("record", list(Record))
def test_a_derived_scope_alone_opens_no_field_of_any_record(scope: str, record: Record) -> None:
    assert opened_fields(record, {Scope(scope)}, LocationPrecision.STORE) == ()


def test_the_banks_own_line_opens_only_with_all_that_it_tells() -> None:
    everything = {Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.LOCATIONS, Scope.COUNTERPARTIES}

    assert "description" in opened_fields(Record.TRANSACTION, everything, LocationPrecision.STORE)
    assert "description" not in opened_fields(Record.TRANSACTION, everything, LocationPrecision.CITY)
    for missing in everything:
        left = everything - {missing}
        assert "description" not in opened_fields(Record.TRANSACTION, left, LocationPrecision.STORE), missing


# -- every column has been decided on ---------------------------------------------------------------------------------

#: Columns that no scope opens: ours, or the bank's own ids. A new column belongs here or into FIELD_RULES.
NEVER_RELEASED: dict[str, set[str]] = {
    "Account": {
        "connection", "user", "bank_account_id", "identification_digest", "opened_on", "provenance", "content_hash",
        "fetched_at", "balances_as_of", "transactions_as_of", "coverage_first_on", "coverage_last_on",
        "coverage_gaps", "version", "is_covered", "holder_digest", "bank_first_on", "next_refresh_after",
        "proven_opening_minor", "proven_first_on", "unneeded_at", "transactions_unneeded_at",
    },
    "Balance": {"id", "account", "content_hash"},
    "Transaction": {
        "pk", "account", "identity_key", "occurrence", "bank_transaction_id", "immutable", "merchant_key",
        "sensitive_group", "counterparty_kind", "reference_digest", "provenance", "content_hash", "revision",
        "change_sequence", "added_sequence", "refiled_sequence", "link_method", "first_seen_at", "updated_at",
    },
}  # fmt: skip


@pytest.mark.parametrize("record", list(Record))
def test_every_column_is_either_opened_by_a_rule_or_listed_as_never_released(record: Record) -> None:
    from banks import models

    name = record.value.title()
    columns = {field.name for field in getattr(models, name)._meta.get_fields()}
    ruled = {"institution" if rule.name == "institution_id" else rule.name for rule in scopes.FIELD_RULES[record]}

    assert not ruled & NEVER_RELEASED[name]
    assert columns == ruled | NEVER_RELEASED[name]


# -- purposes ---------------------------------------------------------------------------------------------------------

PURPOSES: dict[str, str] = {
    "balance_check": "accounts balances answers",
    "fraud_alerts": "accounts balances transactions merchants locations alerts",
    "spending_insights": "accounts transactions merchants insights",
    "budgeting": "accounts balances transactions merchants insights alerts answers",
    "account_overview": "accounts account_numbers balances transactions merchants locations counterparties",
}


def test_each_purpose_has_its_most_and_no_other_purpose_exists() -> None:
    assert {purpose.value: set(most) for purpose, most in scopes.PURPOSE_SCOPES.items()} == {
        name: set(words.split()) for name, words in PURPOSES.items()
    }
    assert {purpose.value for purpose in Purpose} == set(PURPOSES)


@pytest.mark.parametrize("word", ["advertising", "marketing", "profiling", "resale", "onward_sharing"])
def test_what_nobody_may_ask_for_is_not_a_purpose(word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Purpose(word)


def test_several_purposes_together_may_ask_for_the_union() -> None:
    most = scopes.purpose_scopes([Purpose.BALANCE_CHECK, Purpose.SPENDING_INSIGHTS])

    assert most == {"accounts", "balances", "answers", "transactions", "merchants", "insights"}
    assert scopes.purpose_scopes([]) == set()


# -- implied, dependent, fetched --------------------------------------------------------------------------------------


def test_merchants_bring_the_transactions_they_describe_and_nothing_else_brings_anything() -> None:
    for scope in Scope:
        expected = {"merchants", "transactions"} if scope == "merchants" else {scope}

        assert scopes.implied({scope}) == expected


@pytest.mark.parametrize("detail", ["merchants", "locations", "counterparties"])
def test_a_detail_without_its_ground_falls_away(detail: str) -> None:
    assert scopes.consistent({Scope(detail), Scope.BALANCES}) == {"balances"}
    assert scopes.consistent({Scope(detail), Scope.TRANSACTIONS}) == {detail, "transactions"}


@pytest.mark.parametrize(
    ("scope", "resources"),
    [
        ("accounts", "accounts masked_numbers"),
        ("account_numbers", "accounts account_numbers"),
        ("balances", "accounts balances"),
        ("transactions", "accounts transactions"),
        ("merchants", ""),
        ("locations", ""),
        ("counterparties", ""),
        ("insights", "accounts transactions"),
        ("alerts", "accounts balances transactions"),
        ("answers", "accounts balances"),
    ],
)
def test_a_scope_fetches_what_it_needs_and_nothing_more(scope: str, resources: str) -> None:
    assert scopes.fetched_for({Scope(scope)}) == set(resources.split())


def test_precisions_are_ordered_from_far_to_near() -> None:
    assert sorted(LocationPrecision, key=lambda p: p.reach) == ["country", "city", "store"]
