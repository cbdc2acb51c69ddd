"""What each notice says; and what no mail may hold."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from banks import renewal
from banks.models import Account, Connection, Institution
from consents import clock, events, lifecycle
from consents.events import EventType
from consents.models import Consent, ConsentAccount, Event, Platform
from gateway.identity.models import User
from gateway.notify import notices, writing
from gateway.notify.models import Notice, NoticeKind
from gateway.notify.writing import Letter
from tests.gateway.notify.conftest import collected, sent
from tests.gateway.test_words import grade
from tests.support import ledger

pytestmark = pytest.mark.django_db

#: In every customer row of Alice's: no mail may hold one of them.
CANARIES = (
    "CanaryAccount",
    "GB33CANARY20201555555555",
    "9876",
    "31415",
    "314.15",
    "CanaryShop",
    "CanaryCity",
    "CanaryPayee",
    "CanaryText",
)


@pytest.fixture
def canaries(sharing: Consent) -> None:
    """Alice's accounts hold rows, and each of them something to recognise."""
    for account_id in ConsentAccount.objects.filter(consent=sharing).values_list("account_id", flat=True):
        Account.objects.for_sync().filter(id=account_id).update(
            name="CanaryAccount",
            masked_number="9876",
            identifications=[{"scheme_name": "IBAN", "value": "GB33CANARY20201555555555"}],
        )
        account = Account.objects.for_sync().get(id=account_id)
        ledger.balance(account, amount_minor=31415)
        ledger.transaction(
            account,
            amount_minor=-31415,
            merchant_name="CanaryShop",
            place_city="CanaryCity",
            counterparty_name="CanaryPayee",
            description="CanaryText",
        )


def told(consent: Consent, event_type: EventType, **details: Any) -> Letter:
    """The letter of one more event of this consent."""
    given = {"reason": "test", "initiator": "SYSTEM", **details}
    event = events.publish(event_type, now=clock.now(), consent_id=consent.id, user_id=consent.user_id, details=given)
    collected()
    return writing.letter(Notice.objects.get(occasion=f"event:{event.id}"))


def of_link(connection: Connection, event_type: EventType, **details: Any) -> Letter:
    event = events.publish(
        event_type, now=clock.now(), user_id=connection.user_id, connection_id=connection.id, details=details
    )
    collected()
    return writing.letter(Notice.objects.get(occasion=f"event:{event.id}"))


def every_letter(consent: Consent, bank: Institution) -> dict[str, Letter]:
    """One of each kind."""
    by_bank = {"initiator": "BANK", "institution_id": str(bank.id)}
    link = Connection.objects.get(institution=bank)
    for kind, details in {
        NoticeKind.USAGE_SUMMARY: {
            "terms": notices.terms_of(consent),
            "reads": {
                "counts": {"balance": 12, "transaction": 1},
                "first_at": clock.now().isoformat(),
                "last_at": clock.now().isoformat(),
                "unread_scopes": ["accounts"],
                "unread_accounts": 1,
            },
            "started_on": "2026-01-01",
            "ended_on": "2026-04-01",
        },
        NoticeKind.DOWNLOAD_READY: {"ends_at": clock.now().isoformat()},
        NoticeKind.PROFILE_CLOSED: {},
    }.items():
        notices.tell(
            kind,
            user_id=consent.user_id,
            occasion=f"test:{kind}",
            consent_id=consent.id if kind == NoticeKind.USAGE_SUMMARY else None,
            details=details,
            now=clock.now(),
        )
    found = {
        "paused": told(consent, EventType.CONSENT_PAUSED, initiator="OPERATOR"),
        "narrowed": told(consent, EventType.CONSENT_NARROWED, **by_bank),
        "resumed": told(consent, EventType.CONSENT_RESUMED, **by_bank),
        "resumed by the user": told(consent, EventType.CONSENT_RESUMED, initiator="USER"),
        "expiring": told(consent, EventType.CONSENT_EXPIRING, days=7),
        "expired": told(consent, EventType.CONSENT_EXPIRED, reason="expired"),
        "used": told(consent, EventType.CONSENT_EXPIRED, reason="consumed"),
        "suspended": told(consent, EventType.CONSENT_SUSPENDED, **by_bank),
        "suspended by the user": told(consent, EventType.CONSENT_SUSPENDED, initiator="USER"),
        "revoked": told(consent, EventType.CONSENT_REVOKED, initiator="USER"),
        "revoked by a bank": told(consent, EventType.CONSENT_REVOKED, initiator="BANK"),
        "renewed": told(consent, EventType.CONSENT_GRANTED, reason="renewed"),
        "linked": of_link(link, EventType.CONNECTION_LINKED),
        "needs renewal": of_link(link, EventType.CONNECTION_NEEDS_RENEWAL, code="connection_expiring", days=7),
        "needs a login": of_link(link, EventType.CONNECTION_NEEDS_RENEWAL, code="reauth_required"),
    }
    others = Notice.objects.filter(kind__in=[*NoticeKind][-3:]) | Notice.objects.filter(details__reason="granted")
    return found | {notice.kind: writing.letter(notice) for notice in others}


def test_the_receipt_says_all_that_a_receipt_must(sharing: Consent) -> None:
    (letter,) = sent_after_collecting()

    text = " ".join(letter.body.split())
    assert letter.subject == "Receipt: you share with chat"
    for words in (
        "Who gets it: chat",
        "chat wants to show you all your accounts in one place.",
        "chat wants to help you plan your spending and keep to it.",
        "Your banks: Northbank, Southbank, 3 accounts",
        "Account name and type",
        "Account balance",
        "Transaction details",
        "How far back: from",
        f"Until: {sharing.expires_at.day} {sharing.expires_at:%B %Y}",
        "Stop sharing takes effect at once",
        f"Receipt: {sharing.id}",
        f"version test, SHA-256 {'0' * 64}",
        f"http://127.0.0.1:8000/consents/{sharing.id}/",
    ):
        assert words in text, words
    assert "Shop names" not in text


def sent_after_collecting() -> Any:
    collected()
    return sent()


def test_t14_no_mail_holds_a_balance_an_account_or_a_payment(
    sharing: Consent, northbank: Institution, canaries: None
) -> None:
    every_letter(sharing, northbank)
    sent()

    mails = [f"{letter.subject}\n{letter.body}\n{letter.extra_headers}" for letter in sent()]
    assert len(mails) == 19
    for text in mails:
        readable = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", text)  # an id may hold the digits of an amount
        assert not [canary for canary in CANARIES if canary in readable], text


def test_each_kind_of_notice_names_platform_or_bank_and_leads_somewhere(
    sharing: Consent, northbank: Institution
) -> None:
    found = every_letter(sharing, northbank)

    assert len({letter.subject for letter in found.values()}) >= 12
    for name, letter in found.items():
        assert letter.paragraphs, name
        assert letter.path.startswith("/"), name
        assert "None" not in letter.text, name
        assert "  " not in letter.subject, name
        assert all(len(line) <= 72 for line in letter.text.splitlines() if "http" not in line and "SHA" not in line)
    for name in ("linked", "needs renewal", "needs a login"):
        assert "Northbank" in found[name].subject, name
        assert found[name].path == "/links/", name
    assert found["revoked"].link == "See what was shared"
    assert found["suspended"].link == "See it, change it or stop it"
    for name in ("narrowed", "resumed", "suspended"):
        assert "Northbank" in found[name].text, name
        assert "chat" in found[name].subject, name


def test_an_end_says_by_whom_and_what_happens_now(sharing: Consent) -> None:
    words = {"USER": "by you", "PLATFORM": "by the app itself", "BANK": "by your bank", "OPERATOR": "by us"}
    for initiator, by_whom in words.items():
        text = " ".join(told(sharing, EventType.CONSENT_REVOKED, initiator=initiator).text.split())

        assert by_whom in text
        assert "It took effect at once." in text
        assert "What it read before stays with it." in text


def test_the_first_notice_of_an_end_says_how_many_days_are_left(sharing: Consent) -> None:
    for days, words in ((30, "ends in 30 days or less"), (7, "7 days"), (1, "ends in 1 day or less")):
        assert words in told(sharing, EventType.CONSENT_EXPIRING, days=days).subject


def test_eight_years_of_school_are_enough_for_every_notice(sharing: Consent, northbank: Institution) -> None:
    for name, letter in every_letter(sharing, northbank).items():
        told = [part for one in letter.paragraphs for part in (one.words, *one.items) if part and "SHA" not in part]
        sentences = [sentence for part in told for sentence in re.split(r"(?<=[.?:]) ", part)]

        assert grade([letter.subject, *sentences]) <= 8, name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Chat\r\nBcc: eve@evil.example", "Chat Bcc: eve@evil.example"),
        ("Chat\u2028Line", "Chat Line"),
        ("\u202etahC\u200b", "tahC"),
        ("x" * 200, "x" * 59 + "…"),
        ("  ", "(no name)"),
    ],
)
def test_a_name_that_others_chose_stays_one_line_of_its_own(sharing: Consent, name: str, shown: str) -> None:
    assert writing.clean(name) == shown
    Platform.objects.filter(id=sharing.platform_id).update(name=name[:255], legal_name=name[:200])

    (letter,) = sent_after_collecting()

    raw = letter.message()
    assert letter.subject == f"Receipt: you share with {shown}"
    assert raw["Bcc"] is None
    assert letter.recipients() == ["alice@mail.example"]


def test_markup_in_a_name_is_text_in_a_text_mail(sharing: Consent) -> None:
    Platform.objects.filter(id=sharing.platform_id).update(name="<b>Chat & Co</b>")

    (letter,) = sent_after_collecting()

    assert letter.subject == "Receipt: you share with <b>Chat & Co</b>"
    assert letter.content_subtype == "plain"
    assert "&lt;" not in letter.body


def test_a_page_of_notices_takes_two_queries(
    sharing: Consent, northbank: Institution, django_assert_num_queries: Any
) -> None:
    every_letter(sharing, northbank)
    rows = list(Notice.objects.all())

    with django_assert_num_queries(2):
        assert len(writing.letters(rows)) == 19


def test_a_bank_that_was_taken_away_is_named_as_such(sharing: Consent, northbank: Institution) -> None:
    (receipt,) = collected()
    receipt.details["terms"]["institution_ids"] = [str(UUID(int=1))]

    assert "a bank that is no longer here" in writing.letter(receipt).text


def test_every_event_that_tells_a_person_is_one_this_test_knows() -> None:
    silent = {"consent.rejected", "connection.degraded", "connection.recovered", "transactions.updated"}

    assert {str(kind) for kind in EventType} - silent == {kind for kind in NoticeKind if kind in {*EventType}}
    assert renewal.own_connections(UUID(int=1), now=clock.now()) == []


def test_a_consent_that_ends_is_announced_by_the_real_sweep(sharing: Consent, alice: User) -> None:
    collected()
    soon = sharing.expires_at - timedelta(days=6)
    assert lifecycle.announce_expiring(now=soon) == 1
    notices.collect(now=soon)

    notice = Notice.objects.get(kind=NoticeKind.CONSENT_EXPIRING)
    assert writing.letter(notice).subject == "Your sharing with chat ends in 7 days or less"
    assert Event.objects.filter(noticed_at=None).count() == 0
