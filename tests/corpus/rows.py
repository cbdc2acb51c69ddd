"""Bad rows among good ones in a list of transactions."""

from typing import Any

from tests.corpus.case import ABSENT, PURCHASE, TRANSFER, Case, Verdict, Where, changed

# -- members that are not there, or of another type --------------------------------------------------------------------

#: Without these there is no entry; those of an object that may be left out are needed once it is there.
MANDATORY = (
    *("AccountId", "CreditDebitIndicator", "Status", "BookingDateTime", "Amount", "Amount.Amount", "Amount.Currency"),
    *("Balance.CreditDebitIndicator", "Balance.Type", "Balance.Amount", "Balance.Amount.Amount"),
    *("Balance.Amount.Currency", "CurrencyExchange.InstructedAmount.Amount"),
    "CurrencyExchange.InstructedAmount.Currency",
)
OBJECTS = ("Amount", "Balance", "Balance.Amount", "CurrencyExchange", "CurrencyExchange.InstructedAmount")
TEXTS = (*(path for path in MANDATORY if path not in OBJECTS), "TransactionId")
OF_ANOTHER_TYPE: tuple[tuple[str, object, tuple[str, ...]], ...] = (
    ("a number for a text", 7, TEXTS),
    ("a boolean for a text", True, TEXTS),
    ("an array for a text", ["GBP"], TEXTS),
    ("an object for a text", {"Value": "GBP"}, TEXTS),
    ("a text for an object", "10.50 GBP", OBJECTS),
    ("a number for an object", 10.5, OBJECTS),
    ("a boolean for an object", False, OBJECTS),
    ("an array for an object", [{"Amount": "10.50", "Currency": "GBP"}], OBJECTS),
    ("a text for a number", "1.155", ("CurrencyExchange.ExchangeRate",)),
    ("a boolean for a number", True, ("CurrencyExchange.ExchangeRate",)),
    ("an array for a number", [1.155], ("CurrencyExchange.ExchangeRate",)),
    ("an object for a number", {"Value": 1.155}, ("CurrencyExchange.ExchangeRate",)),
)

# -- values: path, reason, and each kind of value that has it ----------------------------------------------------------

VALUES: tuple[tuple[str, str, dict[str, object]], ...] = (
    (
        "AccountId",
        "other_account",
        {"another account": "22290", "leading zero": "022289", "trailing space": "22289 ", "empty": ""},
    ),
    (
        "TransactionId",
        "bad_identifier",
        {
            "too long": "a" * 211,
            "empty": "",
            "blank": "   ",
            "control": "a\u0001b",
            "zero width": "a\u200bb",
            "direction override": "a\u202eb",
            "trailing space": "a ",
            "line break": "a\nb",
            "no-break space": "a\u00a0b",
            "not composed": "e\u0301",
            "private use": "a\ue000",
            "unassigned": "a\u0378",
        },
    ),
    (
        "Status",
        "unknown_status",
        {
            "another version's word": "Booked",
            "lower case": "book",
            "unknown code": "ZZZZ",
            "empty": "",
            "trailing space": "BOOK ",
        },
    ),
    (
        "CreditDebitIndicator",
        "bad_indicator",
        {
            "lower case": "debit",
            "upper case": "DEBIT",
            "ISO code": "DBIT",
            "empty": "",
            "leading space": " Debit",
            "unknown code": "Both",
        },
    ),
    ("Balance.CreditDebitIndicator", "bad_indicator", {"lower case": "credit"}),
    (
        "BookingDateTime",
        "bad_date",
        {
            "year 0001": "0001-01-01T00:00:00Z",
            "year 0033": "0033-04-03T00:00:00Z",
            "year 1969": "1969-12-31T00:00:00Z",
            "year 2101": "2101-01-01T00:00:00Z",
            "year 9999": "9999-12-31T23:59:59Z",
            "year before Christ": "-0044-03-15T00:00:00Z",
            "February 30": "2026-02-30T00:00:00Z",
            "February 29 of no leap year": "2026-02-29T00:00:00Z",
            "month 13": "2026-13-01T00:00:00Z",
            "day 00": "2026-03-00T00:00:00Z",
            "24:00": "2026-03-01T24:00:00Z",
            "minute 60": "2026-03-01T10:60:00Z",
            "leap second": "2016-12-31T23:59:60Z",
            "offset beyond a day": "2026-03-01T10:00:00+25:00",
            "no separators": "20260301T000000Z",
            "day first": "01/03/2026",
            "RFC 2822": "Sun, 01 Mar 2026 00:00:00 GMT",
            "seconds since 1970": "1772323200",
            "two-digit year": "26-03-01T00:00:00Z",
            "week date": "2026-W09-7",
            "ordinal date": "2026-060",
            "space for T": "2026-03-01 00:00:00Z",
            "other digits": "\u0662\u0660\u0662\u0666-03-01",
            "trailing text": "2026-03-01T00:00:00Z or so",
            "line break": "2026-03-01\n",
            "empty": "",
            "NUL word": "null",
        },
    ),
    (
        "Amount.Amount",
        "bad_amount",
        {
            "minus sign": "-10.50",
            "plus sign": "+10.50",
            "minus zero": "-0",
            "decimal comma": "10,50",
            "thousands comma": "1,000.00",
            "space inside": "1 000.00",
            "leading space": " 10.50",
            "line break": "10.50\n",
            "exponent": "1e3",
            "NaN": "NaN",
            "Infinity": "Infinity",
            "1e400": "1e400",
            "hexadecimal": "0x10",
            "underscore": "1_000",
            "other digits": "\u0661\u0660",
            "wide digits": "\uff11\uff10",
            "zero width": "1\u200b0",
            "no digit before the point": ".50",
            "no digit after the point": "10.",
            "two points": "1.2.3",
            "currency sign": "\u00a310.50",
            "brackets": "(10.50)",
            "empty": "",
            "blank": "  ",
            "41 digits": "1" * 41,
            "5000 digits": "9" * 5000,
        },
    ),
    ("Balance.Amount.Amount", "bad_amount", {"minus sign": "-230.00"}),
    ("CurrencyExchange.InstructedAmount.Amount", "bad_amount", {"minus sign": "-12.13"}),
    (
        "Amount",
        "too_many_decimals Amount.Amount",
        {
            "third decimal of a pound": {"Amount": "10.505", "Currency": "GBP"},
            "fraction of a yen": {"Amount": "100.5", "Currency": "JPY"},
            "fourth decimal of a dinar": {"Amount": "1.0001", "Currency": "KWD"},
            "fifth decimal of a unit of account": {"Amount": "1.00001", "Currency": "CLF"},
            "less than a penny": {"Amount": "0.001", "Currency": "GBP"},
            "a third": {"Amount": "0.3333333333", "Currency": "EUR"},
        },
    ),
    ("Balance.Amount.Amount", "too_many_decimals", {"third decimal of a pound": "230.001"}),
    ("CurrencyExchange.InstructedAmount.Amount", "too_many_decimals", {"third decimal of a euro": "12.135"}),
    (
        "Amount",
        "amount_out_of_range Amount.Amount",
        {
            "one penny above": {"Amount": "10000000000000.01", "Currency": "GBP"},
            "10**18": {"Amount": "1000000000000000000", "Currency": "GBP"},
            "more than a 64-bit column": {"Amount": "92233720368547758.08", "Currency": "GBP"},
            "one yen above": {"Amount": "1000000000000001", "Currency": "JPY"},
            "40 digits": {"Amount": "9" * 40, "Currency": "GBP"},
        },
    ),
    ("Balance.Amount.Amount", "amount_out_of_range", {"10**18": "1000000000000000000"}),
    ("CurrencyExchange.InstructedAmount.Amount", "amount_out_of_range", {"10**18": "1000000000000000000"}),
    (
        "Amount.Currency",
        "unknown_currency",
        {
            "unknown code": "ZZZ",
            "lower case": "gbp",
            "precious metal": "XAU",
            "test code": "XTS",
            "no currency": "XXX",
            "pence": "GBX",
            "numeric code": "826",
            "currency sign": "\u00a3",
            "too long": "GBPX",
            "look-alike letter": "G\u0412P",
            "trailing space": "GBP ",
            "line break": "GBP\n",
            "empty": "",
            "crypto": "BTC",
        },
    ),
    ("Balance.Amount.Currency", "unknown_currency", {"unknown code": "ZZZ"}),
    ("CurrencyExchange.InstructedAmount.Currency", "unknown_currency", {"unknown code": "ZZZ"}),
    (
        "CurrencyExchange.ExchangeRate",
        "bad_number",
        {
            "zero": 0,
            "negative": -1.155,
            "minus zero": -0.0,
            "huge": 1e300,
            "tiny": 1e-300,
            "29 digits": int("1" * 29),
        },
    ),
)

# -- what merely describes: the row stays, and the member is unknown (or clean) ----------------------------------------

UNCODED = {name: value for name, value in TRANSFER.items() if name != "BankTransactionCode"}
DESCRIPTIONS: tuple[tuple[dict[str, Any], str, object, str, str, object], ...] = (
    (PURCHASE, "ValueDateTime", "2026-02-30T00:00:00Z", "value_on", "February 30", None),
    (PURCHASE, "ValueDateTime", "0001-01-01T00:00:00Z", "value_on", "year 0001", None),
    (PURCHASE, "ValueDateTime", 20260302, "value_on", "a number for a text", None),
    (PURCHASE, "TransactionInformation", ["x"], "description", "an array for a text", None),
    (PURCHASE, "TransactionInformation", "\u200b\u2060", "description", "zero width alone", None),
    (PURCHASE, "TransactionInformation", "PAY\u200bPAL", "description", "zero width", "PAYPAL"),
    (PURCHASE, "TransactionInformation", "PAY\u202eLAP", "description", "direction override", "PAYLAP"),
    (PURCHASE, "TransactionInformation", "PAY\u2066LAP\u2069", "description", "direction isolate", "PAYLAP"),
    (PURCHASE, "TransactionInformation", "A\u0007B\u001b[31m", "description", "control", "AB[31m"),
    (PURCHASE, "TransactionInformation", "A\r\n\tB", "description", "line break", "A B"),
    (PURCHASE, "TransactionInformation", "CAFE\u0301", "description", "not composed", "CAF\u00c9"),
    (PURCHASE, "TransactionInformation", "A\ue000B\U000e0041", "description", "private use", "AB"),
    (PURCHASE, "TransactionInformation", "x" * 600, "description", "too long", "x" * 500),
    (PURCHASE, "TransactionInformation", "'; DROP TABLE x; --", "description", "SQL", "'; DROP TABLE x; --"),
    (PURCHASE, "TransactionReference", 7, "reference", "a number for a text", None),
    (PURCHASE, "MerchantDetails", "Greenway", "merchant_name", "a text for an object", None),
    (PURCHASE, "MerchantDetails.MerchantName", 7, "merchant_name", "a number for a text", None),
    (PURCHASE, "MerchantDetails.MerchantName", "   ", "merchant_name", "blank", None),
    (PURCHASE, "MerchantDetails.MerchantName", "G\u200breen", "merchant_name", "zero width", "Green"),
    (PURCHASE, "MerchantDetails.MerchantName", "M" * 350, "merchant_name", "too long", "M" * 140),
    (PURCHASE, "MerchantDetails.MerchantCategoryCode", 5411, "mcc", "a number for a text", None),
    (PURCHASE, "MerchantDetails.MerchantCategoryCode", "54111", "mcc", "five digits", None),
    (PURCHASE, "MerchantDetails.MerchantCategoryCode", "54", "mcc", "two digits", None),
    (PURCHASE, "MerchantDetails.MerchantCategoryCode", "SHOP", "mcc", "letters", None),
    (PURCHASE, "MerchantDetails.MerchantCategoryCode", "54 11", "mcc", "space inside", None),
    (PURCHASE, "MerchantDetails.MerchantCategoryCode", "\u0665\u0664\u0661\u0661", "mcc", "other digits", None),
    (PURCHASE, "MerchantDetails.MerchantCategoryCode", "-763", "mcc", "minus sign", None),
    (PURCHASE, "MerchantDetails.MerchantCategoryCode", "763", "mcc", "leading zero left out", "0763"),
    (PURCHASE, "TransactionMutability", True, "immutable", "a boolean for a text", None),
    (PURCHASE, "TransactionMutability", "immutable", "immutable", "lower case", None),
    (PURCHASE, "CardInstrument.AuthorisationType", "Telepathy", "channel", "unknown code", None),
    (PURCHASE, "CardInstrument", ["VISA"], "channel", "an array for an object", None),
    (PURCHASE, "Balance.Type", "ZZZZ", "balance_after_type", "unknown code", "OTHER"),
    (PURCHASE, "Balance.Type", "InterimBooked", "balance_after_type", "another version's word", "OTHER"),
    (PURCHASE, "SupplementaryData.Place.Country", "gb", "place.country", "lower case", None),
    (PURCHASE, "SupplementaryData.Place.Country", 826, "place.country", "a number for a text", None),
    (PURCHASE, "SupplementaryData.Place.Town", ["London"], "place.city", "an array for a text", None),
    (PURCHASE, "SupplementaryData.Place", "London", "place.city", "a text for an object", None),
    (PURCHASE, "SupplementaryData", 7, "place.city", "a number for an object", None),
    (TRANSFER, "CreditorAccount", ["Niamh"], "counterparty_name", "an array for an object", None),
    (TRANSFER, "CreditorAccount.Name", {"First": "Niamh"}, "counterparty_name", "an object for a text", None),
    (TRANSFER, "BankTransactionCode", {"Code": "ZZZZ", "SubCode": "ZZZZ"}, "kind", "unknown code", "OTHER"),
    (TRANSFER, "BankTransactionCode", {"Code": 1, "SubCode": []}, "kind", "a number for a text", "OTHER"),
    (UNCODED, "CardInstrument", "VISA", "kind", "a text for a card", "OTHER"),
    (TRANSFER, "BankTransactionCode", "IRCT", "kind", "a text for an object", "OTHER"),
    (
        PURCHASE,
        "CreditorAccount",
        {"Name": ["Jo Seller"]},
        "counterparty_kind",
        "a payee that cannot be read",
        None,
    ),
)


def _cases() -> list[Case]:
    found = [_bad("missing", f"missing_member {path}", changed(PURCHASE, path, ABSENT)) for path in MANDATORY]
    found += [_bad("null", f"missing_member {path}", changed(PURCHASE, path, None)) for path in MANDATORY]
    for kind, value, paths in OF_ANOTHER_TYPE:
        found += [_bad(kind, f"bad_type {path}", changed(PURCHASE, path, value)) for path in paths]
    for path, reason, values in VALUES:
        check = reason if " " in reason else f"{reason} {path}"
        found += [_bad(kind, check, changed(PURCHASE, path, value)) for kind, value in values.items()]
    for kind, row in (("null", None), ("text", "BOOK"), ("number", 7), ("boolean", True), ("array", [PURCHASE])):
        found.append(_bad(f"{kind} for a row", "not_an_object ", row))
    for base, path, value, check, kind, kept in DESCRIPTIONS:
        row = changed(base, path, value)
        found.append(Case(kind=kind, where=Where.ROW, verdict=Verdict.TAKEN, check=check, value=row, kept=kept))
    return found


def _bad(kind: str, check: str, row: object) -> Case:
    return Case(kind=kind, where=Where.ROW, verdict=Verdict.QUARANTINED, check=check, value=row)


CASES = _cases()
