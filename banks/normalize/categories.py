"""What a payment was for, and whether that says more than money, by its ISO 18245 merchant category code. Pure tables.

It reads codes only, never names. A code in no table has no category: guessed ones would be wrong in front of the user.
"""

from bisect import bisect_right
from enum import StrEnum
from typing import TypeVar

from banks.types import TransactionKind
from consents.scopes import SensitiveGroup

T = TypeVar("T")


class Category(StrEnum):
    """Our category codes, as stored and shown."""

    GROCERIES = "groceries"
    EATING_OUT = "eating_out"
    TRANSPORT = "transport"
    TRAVEL = "travel"
    UTILITIES = "utilities"
    HOME = "home"
    ENTERTAINMENT = "entertainment"
    HEALTH = "health"
    SHOPPING = "shopping"
    SERVICES = "services"
    EDUCATION = "education"
    GIVING = "giving"
    GAMBLING = "gambling"
    TAXES = "taxes"
    INSURANCE = "insurance"
    CASH = "cash"
    INCOME = "income"
    TRANSFERS = "transfers"
    FEES = "fees"
    INTEREST = "interest"


class Rule(StrEnum):
    """Which table decided: provenance says so."""

    KIND = "kind_table"
    MCC = "mcc_table"


# First code, last code, category. Ordered, apart; a test holds it to both.
_CATEGORIES: tuple[tuple[int, int, Category], ...] = (
    (742, 742, Category.SERVICES),  # veterinary
    (763, 780, Category.SERVICES),  # agriculture, landscaping
    (1520, 1799, Category.HOME),  # building trades
    (3000, 3299, Category.TRAVEL),  # airlines by name
    (3351, 3441, Category.TRAVEL),  # car rental by name
    (3501, 3999, Category.TRAVEL),  # hotels by name
    (4011, 4011, Category.TRANSPORT),  # railroads, freight
    (4111, 4112, Category.TRANSPORT),  # local and rail passengers
    (4119, 4119, Category.HEALTH),  # ambulance
    (4121, 4121, Category.TRANSPORT),  # taxis
    (4131, 4131, Category.TRANSPORT),  # buses
    (4214, 4225, Category.SERVICES),  # couriers, storage
    (4411, 4411, Category.TRAVEL),  # cruises
    (4457, 4468, Category.TRAVEL),  # boats, marinas
    (4511, 4582, Category.TRAVEL),  # airlines, airports
    (4722, 4723, Category.TRAVEL),  # travel agencies
    (4784, 4784, Category.TRANSPORT),  # tolls
    (4789, 4789, Category.TRANSPORT),
    (4812, 4816, Category.UTILITIES),  # telephones, networks
    (4821, 4821, Category.UTILITIES),
    (4829, 4829, Category.TRANSFERS),  # money transfer
    (4899, 4899, Category.ENTERTAINMENT),  # cable, satellite, streaming
    (4900, 4900, Category.UTILITIES),  # electricity, gas, water
    (5122, 5122, Category.HEALTH),  # drugs, wholesale
    (5200, 5261, Category.HOME),  # hardware, garden
    (5262, 5262, Category.SHOPPING),  # marketplaces
    (5271, 5271, Category.HOME),
    (5300, 5399, Category.SHOPPING),  # wholesale clubs, department and variety stores
    (5411, 5499, Category.GROCERIES),  # supermarkets, bakeries, convenience
    (5511, 5533, Category.TRANSPORT),  # car dealers and parts
    (5541, 5542, Category.TRANSPORT),  # fuel
    (5551, 5571, Category.SHOPPING),  # boats, motorcycles
    (5592, 5599, Category.SHOPPING),
    (5611, 5699, Category.SHOPPING),  # clothing
    (5712, 5722, Category.HOME),  # furniture, appliances
    (5732, 5734, Category.SHOPPING),  # electronics, music, software
    (5735, 5735, Category.ENTERTAINMENT),  # records
    (5811, 5814, Category.EATING_OUT),
    (5815, 5818, Category.ENTERTAINMENT),  # digital goods
    (5912, 5912, Category.HEALTH),  # pharmacies
    (5921, 5921, Category.GROCERIES),  # wine and spirits
    (5931, 5973, Category.SHOPPING),
    (5975, 5976, Category.HEALTH),  # hearing aids, prostheses
    (5977, 5978, Category.SHOPPING),
    (5983, 5983, Category.UTILITIES),  # heating fuel
    (5992, 5999, Category.SHOPPING),
    (6010, 6011, Category.CASH),
    (6012, 6012, Category.SERVICES),  # financial institutions, merchandise
    (6051, 6051, Category.TRANSFERS),  # quasi cash
    (6300, 6300, Category.INSURANCE),
    (6513, 6513, Category.HOME),  # rent
    (6536, 6540, Category.TRANSFERS),  # card to card, stored value
    (7011, 7012, Category.TRAVEL),
    (7032, 7033, Category.TRAVEL),  # camps
    (7210, 7217, Category.SERVICES),  # laundries, cleaning
    (7221, 7251, Category.SERVICES),  # photographs, hair, shoes
    (7261, 7261, Category.SERVICES),  # funerals
    (7273, 7299, Category.SERVICES),
    (7311, 7399, Category.SERVICES),  # business services
    (7512, 7519, Category.TRAVEL),  # car rental
    (7523, 7549, Category.TRANSPORT),  # parking, repair, towing
    (7622, 7699, Category.SERVICES),  # repairs
    (7800, 7802, Category.GAMBLING),  # lotteries, casinos, racing (US licence)
    (7829, 7841, Category.ENTERTAINMENT),  # films
    (7911, 7994, Category.ENTERTAINMENT),  # dance, theatre, clubs, games
    (7995, 7995, Category.GAMBLING),
    (7996, 7999, Category.ENTERTAINMENT),
    (8011, 8099, Category.HEALTH),
    (8111, 8111, Category.SERVICES),  # legal
    (8211, 8299, Category.EDUCATION),
    (8351, 8351, Category.EDUCATION),  # child care
    (8398, 8398, Category.GIVING),
    (8641, 8641, Category.GIVING),  # civic associations
    (8651, 8661, Category.GIVING),  # political, religious
    (8675, 8675, Category.SERVICES),  # motoring associations
    (8699, 8699, Category.GIVING),
    (8734, 8999, Category.SERVICES),
    (9211, 9311, Category.TAXES),  # courts, fines, tax
    (9399, 9399, Category.TAXES),
    (9402, 9402, Category.SERVICES),  # post
    (9406, 9406, Category.GAMBLING),  # state lotteries
)

# Where the kind alone says it. A standing order may be rent or a gift, a direct debit anything: no category.
_BY_KIND: dict[TransactionKind, Category] = {
    TransactionKind.CASH: Category.CASH,
    TransactionKind.FEE: Category.FEES,
    TransactionKind.INTEREST: Category.INTEREST,
    TransactionKind.SALARY: Category.INCOME,
    TransactionKind.TRANSFER: Category.TRANSFERS,
}

_SENSITIVE: tuple[tuple[int, int, SensitiveGroup], ...] = (
    (4119, 4119, SensitiveGroup.HEALTH),  # ambulance
    (5122, 5122, SensitiveGroup.HEALTH),  # drugs, wholesale
    (5813, 5813, SensitiveGroup.ALCOHOL_TOBACCO),  # bars
    (5912, 5912, SensitiveGroup.HEALTH),  # pharmacies
    (5921, 5921, SensitiveGroup.ALCOHOL_TOBACCO),
    (5967, 5967, SensitiveGroup.ADULT),  # inbound teleservices
    (5975, 5976, SensitiveGroup.HEALTH),
    (5993, 5993, SensitiveGroup.ALCOHOL_TOBACCO),  # cigars
    (7273, 7273, SensitiveGroup.ADULT),  # dating
    (7277, 7277, SensitiveGroup.HEALTH),  # counselling
    (7297, 7297, SensitiveGroup.ADULT),  # massage parlours
    (7800, 7802, SensitiveGroup.GAMBLING),
    (7995, 7995, SensitiveGroup.GAMBLING),
    (8011, 8099, SensitiveGroup.HEALTH),  # doctors, dentists, hospitals, laboratories
    (8398, 8398, SensitiveGroup.CHARITY),
    (8641, 8641, SensitiveGroup.POLITICS),  # civic, social and fraternal associations
    (8651, 8651, SensitiveGroup.POLITICS),
    (8661, 8661, SensitiveGroup.RELIGION),
    (8699, 8699, SensitiveGroup.POLITICS),  # membership organisations, trade unions among them
    (9406, 9406, SensitiveGroup.GAMBLING),
)
# Codes under which anything may be sold: they prove nothing about what was bought.
_PROVES_NOTHING: tuple[tuple[int, int, SensitiveGroup], ...] = (
    (5262, 5262, SensitiveGroup.NONE),  # marketplaces
    (5999, 5999, SensitiveGroup.NONE),  # miscellaneous and speciality retail
    (7299, 7299, SensitiveGroup.NONE),  # miscellaneous personal services
    (7399, 7399, SensitiveGroup.NONE),  # business services not elsewhere classified
)

# Entries that reach no merchant. A direct debit does, and usually without a code: it stays unclassified.
_NO_MERCHANT = frozenset(
    (
        TransactionKind.CASH,
        TransactionKind.FEE,
        TransactionKind.INTEREST,
        TransactionKind.SALARY,
        TransactionKind.STANDING_ORDER,
        TransactionKind.TRANSFER,
    )
)


def category(mcc: str | None, kind: TransactionKind) -> Category | None:
    """What the entry was for: by its kind where that alone says it, else by its code (ISO 18245, four digits).

    None: not known.
    """
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    return None if mcc is None else _in_ranges(_CATEGORIES, mcc)


def sensitive_group(mcc: str | None, kind: TransactionKind) -> SensitiveGroup | None:
    """The group that the merchant's code falls in; NONE: looked at, and not sensitive.

    None: not classified, which counts as sensitive: no code on an entry that reaches a merchant, a code in no table of
    ours, or one under which anything may be sold.
    """
    if mcc is None:
        return SensitiveGroup.NONE if kind in _NO_MERCHANT else None
    group = _in_ranges(_SENSITIVE, mcc)
    if group is not None:
        return group
    known = _in_ranges(_CATEGORIES, mcc) is not None and _in_ranges(_PROVES_NOTHING, mcc) is None
    return SensitiveGroup.NONE if known else None


def category_rule(kind: TransactionKind) -> Rule:
    """What `category` decides by."""
    return Rule.KIND if kind in _BY_KIND else Rule.MCC


def sensitive_rule(mcc: str | None) -> Rule:
    """What `sensitive_group` decides by."""
    return Rule.KIND if mcc is None else Rule.MCC


def _in_ranges(ranges: tuple[tuple[int, int, T], ...], mcc: str) -> T | None:
    if not (len(mcc) == 4 and mcc.isascii() and mcc.isdigit()):
        return None
    code = int(mcc)
    index = bisect_right(ranges, code, key=lambda row: row[0]) - 1
    return ranges[index][2] if index >= 0 and code <= ranges[index][1] else None
