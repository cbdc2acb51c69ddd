"""Everything that can be asked has words, and words that most people can read."""

import re

import pytest

from banks.types import AccountCategory, InstitutionStatus
from consents.scopes import LocationPrecision, Purpose, Record, Scope, SensitiveGroup
from consents.states import ConsentStatus, Initiator
from gateway import words
from gateway.portal.connect import countries
from tests.support.reading import grade


@pytest.mark.parametrize(
    ("table", "vocabulary"),
    [
        (words.SCOPE_WORDS, Scope),
        (words.NEEDED_WORDS, Scope),
        (words.PURPOSE_WORDS, Purpose),
        (words.PRECISION_WORDS, LocationPrecision),
        (words.GROUP_WORDS, set(SensitiveGroup) - {SensitiveGroup.NONE}),
        (words.STATUS_WORDS, ConsentStatus),
        (words.RECORD_WORDS, Record),
        (words.CATEGORY_WORDS, AccountCategory),
        (words.HEALTH_WORDS, InstitutionStatus),
    ],
)
def test_nothing_of_a_vocabulary_is_without_words(table: dict[str, object], vocabulary: type) -> None:
    assert set(table) == set(vocabulary)


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_says_what_is_in_it(scope: Scope) -> None:
    (described,) = words.describe([scope], LocationPrecision.CITY)

    assert described.label
    assert described.lines


@pytest.mark.parametrize("scope", [Scope.INSIGHTS, Scope.ALERTS, Scope.ANSWERS])
def test_derived_answers_say_that_no_payment_is_shown(scope: Scope) -> None:
    assert any(re.search(r"\bNo\b.*payment is shown", line) for line in words.SCOPE_WORDS[scope].lines)


@pytest.mark.parametrize("precision", LocationPrecision)
def test_place_is_told_as_closely_as_it_is_granted(precision: LocationPrecision) -> None:
    (described,) = words.describe([Scope.LOCATIONS], precision)

    assert described.lines[0] == words.PRECISION_WORDS[precision]


def test_what_opens_only_together_is_said_only_then() -> None:
    raw, left = "Your bank's own text for each payment", "What was left after each payment"
    without_balances = [Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.LOCATIONS, Scope.COUNTERPARTIES]

    def lines(scopes: list[Scope], precision: LocationPrecision) -> set[str]:
        return {line for scope in words.describe(scopes, precision) for line in scope.lines}

    assert raw in lines(without_balances, LocationPrecision.STORE)
    assert raw not in lines(without_balances, LocationPrecision.CITY)
    assert raw not in lines(without_balances[:3], LocationPrecision.STORE)
    assert left not in lines(without_balances, LocationPrecision.STORE)
    assert left in lines([Scope.TRANSACTIONS, Scope.BALANCES], LocationPrecision.STORE)


@pytest.mark.parametrize("initiator", Initiator)
def test_an_end_names_whose_hand_it_was(initiator: Initiator) -> None:
    assert words.cause(ConsentStatus.REVOKED, initiator, was_granted=True, platform="Chat")


def test_limits_are_whole_sentences() -> None:
    assert words.limits(False, [], "Chat") == []
    assert words.limits(True, [SensitiveGroup.HEALTH, SensitiveGroup.GAMBLING], "Chat") == [
        "Only payments you made to Chat itself.",
        "Payments to do with health and gambling stay hidden.",
    ]


def test_a_country_is_named_and_one_we_do_not_know_by_its_code() -> None:
    assert (countries.name("GB"), countries.name("ZZ")) == ("United Kingdom", "ZZ")


def test_eight_years_of_school_are_enough() -> None:
    sentences = [
        *(words.reason("Chat", purpose) for purpose in Purpose),
        *(line for scope in words.SCOPE_WORDS.values() for line in (scope.label, *scope.lines)),
        *words.PRECISION_WORDS.values(),
        *words.PROMISES,
        *words.PREVENTED,
        *words.HEALTH_WORDS.values(),
        *words.limits(True, [SensitiveGroup.RELIGION], "Chat"),
        *words.NEEDED_WORDS.values(),
        words.ON_PLATFORM_WORDS.format(platform="Chat"),
        words.HIDDEN_WORDS,
        words.RUNNING_WORDS,
        words.ONE_TIME_WORDS,
        words.END_WORDS,
        words.reminder(30),
        words.reminder(1),
    ]

    assert grade(sentences) <= 8
