"""Codes to categories and sensitive groups: the tables, and what they must never claim."""

import itertools

import pytest

from banks.normalize import categories
from banks.normalize.categories import Category, category, sensitive_group
from banks.types import TransactionKind
from consents.scopes import SensitiveGroup

CARD = TransactionKind.CARD_PAYMENT
ALL_CODES = [f"{code:04d}" for code in range(10_000)]


@pytest.mark.parametrize("table", ["_CATEGORIES", "_SENSITIVE", "_PROVES_NOTHING"])
def test_ranges_are_ordered_and_apart(table: str) -> None:
    rows = getattr(categories, table)

    assert all(first <= last for first, last, _ in rows)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(rows))


@pytest.mark.parametrize(
    ("mcc", "expected"),
    [
        ("5411", Category.GROCERIES),
        ("5462", Category.GROCERIES),
        ("5814", Category.EATING_OUT),
        ("4111", Category.TRANSPORT),
        ("5541", Category.TRANSPORT),
        ("3058", Category.TRAVEL),
        ("7011", Category.TRAVEL),
        ("4900", Category.UTILITIES),
        ("4899", Category.ENTERTAINMENT),
        ("5912", Category.HEALTH),
        ("8021", Category.HEALTH),
        ("5651", Category.SHOPPING),
        ("5942", Category.SHOPPING),
        ("6011", Category.CASH),
        ("7995", Category.GAMBLING),
        ("8661", Category.GIVING),
        ("0742", Category.SERVICES),
        ("0000", None),
        ("9999", None),
        ("5", None),
        ("abcd", None),
        ("٥٤١١", None),
    ],
)
def test_codes_have_categories(mcc: str, expected: Category | None) -> None:
    assert category(mcc, CARD) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (TransactionKind.SALARY, Category.INCOME),
        (TransactionKind.CASH, Category.CASH),
        (TransactionKind.FEE, Category.FEES),
        (TransactionKind.INTEREST, Category.INTEREST),
        (TransactionKind.TRANSFER, Category.TRANSFERS),
        (TransactionKind.STANDING_ORDER, None),
        (TransactionKind.DIRECT_DEBIT, None),
        (TransactionKind.CARD_PAYMENT, None),
        (TransactionKind.OTHER, None),
    ],
)
def test_without_a_code_the_kind_says_it_or_nobody_does(kind: TransactionKind, expected: Category | None) -> None:
    assert category(None, kind) == expected


@pytest.mark.parametrize(
    ("mcc", "group"),
    [
        ("5912", SensitiveGroup.HEALTH),
        ("8021", SensitiveGroup.HEALTH),
        ("8099", SensitiveGroup.HEALTH),
        ("7995", SensitiveGroup.GAMBLING),
        ("9406", SensitiveGroup.GAMBLING),
        ("7273", SensitiveGroup.ADULT),
        ("5967", SensitiveGroup.ADULT),
        ("5813", SensitiveGroup.ALCOHOL_TOBACCO),
        ("5921", SensitiveGroup.ALCOHOL_TOBACCO),
        ("5993", SensitiveGroup.ALCOHOL_TOBACCO),
        ("8661", SensitiveGroup.RELIGION),
        ("8651", SensitiveGroup.POLITICS),
        ("8398", SensitiveGroup.CHARITY),
        ("5411", SensitiveGroup.NONE),
        ("5814", SensitiveGroup.NONE),
    ],
)
def test_codes_have_sensitive_groups(mcc: str, group: SensitiveGroup) -> None:
    assert sensitive_group(mcc, CARD) == group


@pytest.mark.parametrize("mcc", [None, "0000", "9999", "abcd", "", "5999", "5262", "7299", "7399"])
def test_a_purchase_that_cannot_be_told_is_not_called_harmless(mcc: str | None) -> None:
    assert sensitive_group(mcc, CARD) is None


@pytest.mark.parametrize("kind", list(TransactionKind))
def test_without_a_code_only_what_reaches_no_merchant_is_harmless(kind: TransactionKind) -> None:
    reaches_one = kind in {CARD, TransactionKind.REFUND, TransactionKind.DIRECT_DEBIT, TransactionKind.OTHER}

    assert sensitive_group(None, kind) == (None if reaches_one else SensitiveGroup.NONE)


def test_every_group_has_codes_and_every_sensitive_code_is_sensitive_on_every_kind() -> None:
    found = {sensitive_group(mcc, CARD) for mcc in ALL_CODES}

    assert found == {None, *SensitiveGroup}
    for mcc in ALL_CODES:
        groups = {sensitive_group(mcc, kind) for kind in TransactionKind}
        assert len(groups) == 1
