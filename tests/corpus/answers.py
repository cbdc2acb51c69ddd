"""Answers that are JSON and yet not what the standard says: nothing of them is stored."""

import base64
import json
from typing import Any

from tests.corpus.case import (
    ABSENT,
    ACCOUNT_ROW,
    BALANCE,
    CONSENT_DATA,
    PURCHASE,
    TOKEN,
    Answered,
    Case,
    Verdict,
    Where,
    accounts,
    balances,
    changed,
    consent,
    page,
    told,
)

FORMAT = "bank_format_changed"

# -- accounts: path, value, check, kind --------------------------------------------------------------------------------

NUMBER = ACCOUNT_ROW["Account"][0]
OF_ACCOUNTS: tuple[tuple[str, object, str, str], ...] = (
    ("AccountId", ABSENT, "missing_member: AccountId", "missing"),
    ("Account.0.SchemeName", ABSENT, "missing_member: Account[0].SchemeName", "missing"),
    ("Account.0.Identification", ABSENT, "missing_member: Account[0].Identification", "missing"),
    ("AccountId", 22289, "bad_type: AccountId", "a number for a text"),
    ("Currency", ["GBP"], "bad_type: Currency", "an array for a text"),
    ("Account", {"SchemeName": "UK.OBIE.IBAN"}, "bad_type: Account", "an object for an array"),
    ("Account", "GB29NWBK60161331926819", "bad_type: Account", "a text for an array"),
    ("Account.0", "GB29NWBK60161331926819", "not_an_object: Account[0]", "a text for an object"),
    ("Account.0.SchemeName", 7, "bad_type: Account[0].SchemeName", "a number for a text"),
    ("Account.0.Identification", 7, "bad_type: Account[0].Identification", "a number for a text"),
    ("Account", [NUMBER] * 101, "too_many: Account", "more than anybody has"),
    ("AccountId", "a" * 41, "bad_identifier: AccountId", "too long"),
    ("AccountId", "", "bad_identifier: AccountId", "empty"),
    ("AccountId", "222\u200b89", "bad_identifier: AccountId", "zero width"),
    ("AccountId", "222\u0007", "bad_identifier: AccountId", "control"),
    ("Currency", "gbp", "unknown_currency: Currency", "lower case"),
    ("Currency", "pounds", "unknown_currency: Currency", "too long"),
    ("Currency", "", "unknown_currency: Currency", "empty"),
)

# -- balances ----------------------------------------------------------------------------------------------------------

OF_BALANCES: tuple[tuple[str, object, str, str], ...] = (
    *(
        (path, ABSENT, f"missing_member: {path}", "missing")
        for path in (
            *("AccountId", "Type", "DateTime", "CreditDebitIndicator", "Amount", "Amount.Amount", "Amount.Currency"),
        )
    ),
    ("CreditLine.0.Included", ABSENT, "missing_member: CreditLine[0].Included", "missing"),
    ("CreditLine.0.Amount.Amount", ABSENT, "missing_member: CreditLine[0].Amount.Amount", "missing"),
    ("CreditLine.0.Amount.Currency", ABSENT, "missing_member: CreditLine[0].Amount.Currency", "missing"),
    ("AccountId", "22290", "other_account: AccountId", "another account"),
    ("Type", 7, "bad_type: Type", "a number for a text"),
    ("CreditDebitIndicator", "CRDT", "bad_indicator: CreditDebitIndicator", "ISO code"),
    ("DateTime", "2026-03-01T10:43:07", "bad_date: DateTime", "no offset"),
    ("DateTime", "2026-03-01", "bad_date: DateTime", "a day and no time"),
    ("DateTime", "2026-02-30T00:00:00Z", "bad_date: DateTime", "February 30"),
    ("DateTime", "9999-12-31T23:59:59-12:00", "bad_date: DateTime", "beyond the last instant"),
    ("DateTime", 1772323200, "bad_type: DateTime", "a number for a text"),
    ("Amount.Amount", "1230.001", "too_many_decimals: Amount.Amount", "third decimal of a pound"),
    ("Amount.Amount", "-1230.00", "bad_amount: Amount.Amount", "minus sign"),
    ("Amount.Amount", 1230, "bad_type: Amount.Amount", "a number for a text"),
    ("Amount.Amount", "9" * 20, "amount_out_of_range: Amount.Amount", "20 digits"),
    ("Amount.Currency", "ZZZ", "unknown_currency: Amount.Currency", "unknown code"),
    ("CreditLine", {"Included": True}, "bad_type: CreditLine", "an object for an array"),
    ("CreditLine.0", "500.00", "not_an_object: CreditLine[0]", "a text for an object"),
    ("CreditLine.0.Included", "true", "bad_type: CreditLine[0].Included", "a text for a boolean"),
    ("CreditLine.0.Included", 1, "bad_type: CreditLine[0].Included", "a number for a boolean"),
    ("CreditLine.0.Amount.Amount", "-500.00", "bad_amount: CreditLine[0].Amount.Amount", "minus sign"),
    ("CreditLine.0.Amount.Amount", "0.001", "too_many_decimals: CreditLine[0].Amount.Amount", "less than a penny"),
    ("CreditLine.0.Amount.Currency", "gbp", "unknown_currency: CreditLine[0].Amount.Currency", "lower case"),
    ("CreditLine", [{"Included": False}] * 101, "too_many: CreditLine", "more than anybody has"),
)
OLDER = changed(BALANCE, "DateTime", "2026-03-01T08:00:00+01:00")
TWICE = [BALANCE, changed(BALANCE, "Amount.Amount", "1230.01")]

# -- the list of transactions ------------------------------------------------------------------------------------------

GOOD = page(PURCHASE)
FIRST = "/aisp/accounts/22289/transactions"


def _next(link: object, **also: Answered) -> Answered:
    further = tuple((f"/aisp/{name}", answer) for name, answer in also.items())
    return told(page(PURCHASE, Links={"Self": "https://bank.example/", "Next": link}), also=further)


OF_PAGES: tuple[tuple[str, str, Answered], ...] = (
    ("missing", f"{FORMAT} missing_member Data", told({"Meta": {}})),
    ("null", f"{FORMAT} missing_member Data", told({"Data": None})),
    ("an array for an object", f"{FORMAT} missing_member Data", told({"Data": [PURCHASE]})),
    ("an array for an object", f"{FORMAT} envelope", told([PURCHASE])),
    ("a text for an object", f"{FORMAT} envelope", told("good")),
    ("null", f"{FORMAT} envelope", told(None)),
    ("an object for an array", f"{FORMAT} missing_member Data.Transaction", told({"Data": {"Transaction": PURCHASE}})),
    ("a text for an array", f"{FORMAT} missing_member Data.Transaction", told({"Data": {"Transaction": "none"}})),
    ("an array for an object", f"{FORMAT} bad_type Links", told(page(PURCHASE, Links=[]))),
    ("a text for an object", f"{FORMAT} bad_type Links", told(page(PURCHASE, Links="/aisp/p2"))),
    ("a number for a text", f"{FORMAT} bad_type Links.Next", _next(2)),
    ("a boolean for a text", f"{FORMAT} bad_type Links.Next", _next(False)),
    ("an object for a text", f"{FORMAT} bad_type Links.Next", _next({"href": "/aisp/p2"})),
    ("an array for a text", f"{FORMAT} bad_type Links.Next", _next(["/aisp/p2"])),
    ("to another host", "paging_broken other_origin", _next("https://evil.example/aisp/p2")),
    ("to another port", "paging_broken other_origin", _next("{origin}9/aisp/p2")),
    ("to another scheme", "paging_broken other_origin", _next("http://bank.example/aisp/p2")),
    ("to the metadata service", "paging_broken other_origin", _next("http://169.254.169.254/latest/meta-data/")),
    ("to a host that looks like it", "paging_broken other_origin", _next("https://bank.example.evil.example/aisp/p")),
    ("without a scheme", "paging_broken other_origin", _next("//evil.example/aisp/p2")),
    ("javascript", "paging_broken malformed_link", _next("javascript:alert(1)")),
    ("file", "paging_broken malformed_link", _next("file:///etc/passwd")),
    ("data", "paging_broken malformed_link", _next("data:application/json,{}")),
    ("with a user", "paging_broken malformed_link", _next("https://bank.example@evil.example/aisp/p2")),
    ("line break", "paging_broken malformed_link", _next("/aisp/p2\r\nX-Evil: 1")),
    ("backslash", "paging_broken malformed_link", _next("\\\\evil.example\\p2")),
    ("control", "paging_broken malformed_link", _next("/aisp/\u0001")),
    ("space inside", "paging_broken malformed_link", _next("/aisp/page two")),
    ("bracket of no address", "paging_broken malformed_link", _next("https://[evil/aisp/p2")),
    ("too long", "paging_broken malformed_link", _next("/aisp/" + "a" * 10_000)),
    ("escaped dot segments", "paging_broken malformed_link", _next("/aisp/%2e%2e/admin")),
    ("dot segments", "paging_broken outside_root", _next("../../../admin")),
    ("beside the root", "paging_broken outside_root", _next("/aisp-admin/p2")),
    ("the root itself", "paging_broken outside_root", _next("/aisp")),
    ("another path", "paging_broken outside_root", _next("/oauth/token")),
    ("to itself", "paging_broken loop", _next("{first}")),
    ("empty", "paging_broken loop", _next("")),
    ("a circle of two", "paging_broken loop", _next("/aisp/p2", p2=_next("{first}"))),
    (
        "no end",
        "answer_too_large pages",
        _next("/aisp/p2", p2=_next("/aisp/p3", p3=_next("/aisp/p4", p4=_next("/aisp/p5")))),
    ),
    ("no end of rows", "answer_too_large rows", told({"Data": {"Transaction": [7] * 1501}})),
    ("a second page that is bad", f"{FORMAT} missing_member Data", _next("/aisp/p2", p2=told({"Meta": {}}))),
    ("a second page of another type", f"{FORMAT} content_type", _next("/aisp/p2", p2=Answered(b"{}", content_type=""))),
    ("a second page that is no JSON", f"{FORMAT} json_malformed", _next("/aisp/p2", p2=Answered(b'{"Data": }'))),
)

# -- what is said beside the rows: unknown, and the rows stay ----------------------------------------------------------

OF_META: tuple[tuple[object, str, str, object], ...] = (
    ({"TotalPages": 0}, "pages_total", "zero", None),
    ({"TotalPages": -1}, "pages_total", "negative", None),
    ({"TotalPages": "1"}, "pages_total", "a text for a number", None),
    ({"TotalPages": True}, "pages_total", "a boolean for a number", None),
    ({"TotalPages": 1.5}, "pages_total", "a fraction", None),
    ({"TotalPages": 2**31}, "pages_total", "huge", None),
    (7, "pages_total", "a number for an object", None),
    ({"FirstAvailableDateTime": "0001-01-01T00:00:00Z"}, "coverage.first_on", "year 0001", None),
    ({"FirstAvailableDateTime": 20260101}, "coverage.first_on", "a number for a text", None),
    ({"FirstAvailableDateTime": "yesterday"}, "coverage.first_on", "words", None),
    ({"LastAvailableDateTime": "9999-12-31T23:59:59Z"}, "coverage.last_on", "year 9999", None),
    ({"LastAvailableDateTime": ["2026-03-01"]}, "coverage.last_on", "an array for a text", None),
)

# -- the consent, and tokens -------------------------------------------------------------------------------------------

OF_CONSENTS: tuple[tuple[str, object, str, str], ...] = (
    ("ConsentId", ABSENT, "consent_answer", "no id"),
    ("ConsentId", "", "consent_answer", "empty id"),
    ("ConsentId", 7, "consent_answer", "a number for an id"),
    ("ConsentId", "c" * 129, "consent_answer", "id too long"),
    ("Status", ABSENT, "consent_answer", "no status"),
    ("Status", 1, "consent_answer", "a number for a status"),
    ("ConsentId", "consent-2", "other_consent", "another consent"),
    ("ConsentId", "CONSENT-1", "other_consent", "upper case"),
    ("ExpirationDateTime", "2026-05-30T00:00:00", "consent_expiry", "no offset"),
    ("ExpirationDateTime", "2026-02-30T00:00:00Z", "consent_expiry", "February 30"),
    ("ExpirationDateTime", "0001-01-01T00:00:00Z", "consent_expiry", "year 0001"),
    ("ExpirationDateTime", 1772323200, "consent_expiry", "a number for a text"),
    ("ExpirationDateTime", "", "consent_expiry", "empty"),
    ("ExpirationDateTime", "never", "consent_expiry", "words"),
)
OF_TOKENS: tuple[tuple[str, object, str, str], ...] = (
    ("access_token", ABSENT, "token_answer", "no access token"),
    ("access_token", "", "token_answer", "empty access token"),
    ("access_token", 7, "token_answer", "a number for an access token"),
    ("token_type", ABSENT, "token_answer", "no type"),
    ("token_type", "mac", "token_answer", "another type"),
    ("token_type", True, "token_answer", "a boolean for a type"),
    ("refresh_token", "", "token_answer", "empty refresh token"),
    ("refresh_token", {"token": "next"}, "token_answer", "an object for a refresh token"),
    ("expires_in", 0, "expires_in", "zero"),
    ("expires_in", -1, "expires_in", "negative"),
    ("expires_in", "600", "expires_in", "a text for a number"),
    ("expires_in", True, "expires_in", "a boolean for a number"),
    ("expires_in", 600.5, "expires_in", "a fraction"),
    ("expires_in", 10**12, "expires_in", "huge"),
)

# -- the ID token: claims beside good ones -----------------------------------------------------------------------------

CLAIMS: dict[str, Any] = {
    "iss": "https://bank.example",
    "aud": "sluice",
    "nonce": "the-nonce",
    "openbanking_intent_id": "consent-1",
    "exp": 1772625900,  # five minutes after tests.support.cast.NOW
}
OF_ID_TOKENS: tuple[tuple[str, object, str], ...] = (
    ("iss", "https://evil.example", "another issuer"),
    ("iss", ABSENT, "no issuer"),
    ("aud", "somebody-else", "another audience"),
    ("aud", ["sluice", "somebody-else"], "a second audience"),
    ("nonce", "another", "another nonce"),
    ("nonce", ABSENT, "no nonce"),
    ("openbanking_intent_id", "consent-2", "another consent"),
    ("exp", 1772625600, "over"),
    ("exp", "1772625900", "a text for a number"),
    ("exp", ABSENT, "no end"),
)
NO_ID_TOKENS: tuple[tuple[object, str], ...] = (
    (ABSENT, "none"),
    (7, "a number for a text"),
    ("a.b", "two parts"),
    ("a.!!!.c", "not base64"),
    ("a.eyJpc3MiOg.c", "cut off"),
    ("a.W10.c", "an array of claims"),
)


def id_token(claims: dict[str, Any]) -> str:
    """Unsigned: it comes straight from the token endpoint, where the signature is not what is believed."""
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{part}.c2ln"


def _cases() -> list[Case]:
    found = [
        _refused(Where.ACCOUNTS, kind, f"{FORMAT} account {check}", told(accounts(changed(ACCOUNT_ROW, path, value))))
        for path, value, check, kind in OF_ACCOUNTS
    ]
    found += [
        _refused(Where.ACCOUNTS, "a text for a row", f"{FORMAT} account not_an_object: ", told(accounts("22289"))),
        _refused(Where.ACCOUNTS, "twice", f"{FORMAT} account listed twice", told(accounts(ACCOUNT_ROW, ACCOUNT_ROW))),
        _refused(Where.ACCOUNTS, "an object for an array", f"{FORMAT} missing_member Data.Account", told(accounts())),
    ]
    found[-1] = _refused(
        Where.ACCOUNTS,
        "an object for an array",
        f"{FORMAT} missing_member Data.Account",
        told({"Data": {"Account": ACCOUNT_ROW}}),
    )
    found += [
        _refused(Where.BALANCES, kind, f"{FORMAT} balance {check}", told(balances(changed(BALANCE, path, value))))
        for path, value, check, kind in OF_BALANCES
    ]
    found += [
        _refused(Where.BALANCES, "null for a row", f"{FORMAT} balance not_an_object: ", told(balances(None))),
        _refused(Where.BALANCES, "one type twice", f"{FORMAT} balance ambiguous: Type", told(balances(*TWICE))),
        _refused(Where.BALANCES, "missing", f"{FORMAT} missing_member Data.Balance", told({"Data": {}})),
        _refused(Where.BALANCES, "null", f"{FORMAT} missing_member Data.Balance", told({"Data": {"Balance": None}})),
        _taken(Where.BALANCES, "an older one after it", "len", told(balances(BALANCE, OLDER)), 1),
        _taken(Where.BALANCES, "unknown code", "0.type", told(balances(changed(BALANCE, "Type", "ZZZZ"))), "OTHER"),
    ]
    for value, kind in ((7, "a number for a text"), ("Friendly", "unknown code")):
        answer = told(balances(changed(BALANCE, "CreditLine.0.Type", value)))
        found.append(_taken(Where.BALANCES, kind, "0.credit_lines.0.type", answer, None))
    for path, value, member in (
        ("OpeningDate", "0001-01-01T00:00:00Z", "opened_on"),
        ("Nickname", {"Name": "Bills"}, "name"),
        ("Account.0.Name", 7, "holder_names"),
    ):
        answer = told(accounts(changed(ACCOUNT_ROW, path, value)))
        found.append(_taken(Where.ACCOUNTS, "not what the standard says", f"0.{member}", answer, None))
    found += [_refused(Where.PAGE, kind, check, answer) for kind, check, answer in OF_PAGES]
    for meta, member, kind, kept in OF_META:
        found.append(_taken(Where.PAGE, kind, member, told(page(PURCHASE, Meta=meta)), kept))
    found += [
        _refused(Where.CONSENT, kind, f"{FORMAT} {check}", told(consent(changed(CONSENT_DATA, path, value))))
        for path, value, check, kind in OF_CONSENTS
    ]
    found.append(_refused(Where.CONSENT, "an array for an object", f"{FORMAT} consent_answer", told(consent([]))))
    found += [
        _refused(Where.TOKEN, kind, f"{FORMAT} {check}", told(changed(TOKEN, path, value)))
        for path, value, check, kind in OF_TOKENS
    ]
    found.append(_refused(Where.TOKEN, "an array for an object", f"{FORMAT} token_answer", told([TOKEN])))
    for path, value, kind in OF_ID_TOKENS:
        answer = told(TOKEN | {"id_token": id_token(changed(CLAIMS, path, value))})
        found.append(_refused(Where.LINK, kind, "bank_refused id_token_differs", answer))
    for token, kind in NO_ID_TOKENS:
        found.append(
            _refused(Where.LINK, kind, f"{FORMAT} id_token", told(changed(TOKEN | {"id_token": ""}, "id_token", token)))
        )
    return found


def _refused(where: Where, kind: str, check: str, answer: Answered) -> Case:
    return Case(kind=kind, where=where, verdict=Verdict.REFUSED, check=check, value=answer)


def _taken(where: Where, kind: str, member: str, answer: Answered, kept: object) -> Case:
    return Case(kind=kind, where=where, verdict=Verdict.TAKEN, check=member, value=answer, kept=kept)


CASES = _cases()
