"""Notices go out by mail: at least once, claimed, again after a failure, and given up where everybody sees it."""

import smtplib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connections, transaction

from consents import clock
from consents.models import Consent
from gateway.identity.models import User
from gateway.notify import sending, tasks
from gateway.notify.models import Notice
from gateway.notify.sending import Held
from tests.gateway.notify.conftest import ADDRESS, collected, sent
from tests.support import cast
from tests.support.cast import Member

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def receipt(sharing: Consent) -> Notice:
    (notice,) = collected()
    return notice


def claimed(notice: Notice, *, now: datetime | None = None) -> Held:
    held = sending.claim(notice.id, now=now or clock.now())
    assert held is not None
    return held


def fails_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def send(self: EmailMessage, fail_silently: bool = False) -> int:
        raise error

    monkeypatch.setattr(EmailMessage, "send", send)


# -- when to try again: pure -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "age", "wait"),
    [(1, MINUTE, MINUTE), (2, MINUTE, 2 * MINUTE), (6, HOUR, 32 * MINUTE), (10, DAY, 6 * HOUR), (500, DAY, 6 * HOUR)],
)
def test_a_server_is_tried_later_and_later(attempts: int, age: timedelta, wait: timedelta) -> None:
    at = sending.next_attempt_at(UUID(int=7), attempts, NOW - age, NOW)

    assert at is not None
    assert NOW + wait <= at <= NOW + wait * 1.2


def test_tries_of_many_notices_are_spread() -> None:
    ids = [uuid4() for _ in range(50)]

    assert len({sending.next_attempt_at(one, 3, NOW, NOW) for one in ids}) > 25


def test_after_three_days_there_is_no_next_time() -> None:
    assert sending.next_attempt_at(UUID(int=7), 9, NOW - 3 * DAY, NOW) is None


# -- one notice --------------------------------------------------------------------------------------------------------


def test_a_notice_is_mailed_to_its_person(receipt: Notice) -> None:
    (letter,) = sent()

    receipt.refresh_from_db()
    assert (letter.to, letter.from_email) == ([ADDRESS], "Sluice <sluice@sluice.example>")
    assert letter.extra_headers["Auto-Submitted"] == "auto-generated"
    assert (receipt.status, receipt.attempts, receipt.error_code) == ("SENT", 1, "")
    assert receipt.sent_at is not None
    assert len(sent()) == 1, "nothing is left to send"


def test_no_transaction_is_open_while_the_server_talks(
    receipt: Notice, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    seen: list[bool] = []

    def send(self: EmailMessage, fail_silently: bool = False) -> int:
        seen.append(transaction.get_connection().in_atomic_block)
        return 1

    monkeypatch.setattr(EmailMessage, "send", send)
    tasks.send()

    assert seen == [False]


@pytest.mark.parametrize(
    ("error", "code", "others_may_wait"),
    [
        (ConnectionRefusedError(), "mail_unreachable", True),
        (TimeoutError(), "mail_unreachable", True),
        (smtplib.SMTPServerDisconnected(), "mail_unreachable", True),
        (smtplib.SMTPAuthenticationError(535, b"no"), "mail_login_refused", True),
        (smtplib.SMTPDataError(452, b"full"), "mail_refused", True),
        (smtplib.SMTPRecipientsRefused({}), "address_refused", False),
    ],
)
def test_a_failure_is_remembered_by_its_code_and_tried_again(
    receipt: Notice, monkeypatch: pytest.MonkeyPatch, caplog: Any, error: OSError, code: str, others_may_wait: bool
) -> None:
    fails_with(monkeypatch, error)
    now = clock.now()

    assert sending.attempt(claimed(receipt), clock=lambda: now) is not others_may_wait

    receipt.refresh_from_db()
    assert (receipt.status, receipt.error_code, receipt.attempts) == ("PENDING", code, 1)
    assert receipt.next_attempt_at >= now + MINUTE
    assert sending.claim(receipt.id, now=now) is None
    assert ADDRESS not in caplog.text


def test_after_three_days_it_is_given_up_and_said_so(
    receipt: Notice, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    fails_with(monkeypatch, ConnectionRefusedError())
    later = receipt.created_at + 3 * DAY

    sending.attempt(claimed(receipt, now=later), clock=lambda: later)

    receipt.refresh_from_db()
    assert (receipt.status, receipt.error_code) == ("FAILED", "mail_unreachable")
    assert [record.levelname for record in caplog.records if record.message == "notice given up"] == ["ERROR"]
    assert sending.claim(receipt.id, now=later + DAY) is None


def test_a_defect_is_recorded_and_goes_on(receipt: Notice, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(monkeypatch, ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        sending.attempt(claimed(receipt), clock=clock.now)

    receipt.refresh_from_db()
    assert (receipt.status, receipt.error_code) == ("PENDING", "internal_error")


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "address_missing"),
        ("nobody", "address_unusable"),
        ("alice@mail.example\r\nBcc: eve@evil.example", "address_unusable"),
        ("alice@mail.example, eve@evil.example", "address_unusable"),
    ],
)
def test_without_a_usable_address_it_stands_on_the_page_alone(receipt: Notice, address: str, code: str) -> None:
    User.objects.filter(id=receipt.user_id).update(email=address)

    assert sent() == []

    receipt.refresh_from_db()
    assert (receipt.status, receipt.error_code) == ("KEPT", code)


def test_without_a_mail_server_nothing_pretends_to_be_sent(receipt: Notice, settings: Any) -> None:
    settings.MAIL_FROM = ""

    assert sent() == []

    receipt.refresh_from_db()
    assert (receipt.status, receipt.error_code) == ("KEPT", "mail_not_configured")


def test_what_waits_for_a_profile_that_was_closed_is_not_sent(receipt: Notice) -> None:
    User.objects.filter(id=receipt.user_id).update(is_active=False)

    assert sent() == []

    receipt.refresh_from_db()
    assert (receipt.status, receipt.error_code) == ("FAILED", "profile_closed")


# -- claims ------------------------------------------------------------------------------------------------------------


def test_at_least_once_a_crash_after_the_mail_and_before_the_row_sends_it_again_under_the_same_id(
    receipt: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    held = claimed(receipt, now=now)
    sending._mail(held.notice).send()  # and here the worker dies

    assert sending.claim(receipt.id, now=now + sending.LEASE) is None, "its lease still runs"
    after = now + sending.LEASE + timedelta(seconds=1)
    sending.attempt(claimed(receipt, now=after), clock=lambda: after)

    first, second = mail.outbox
    receipt.refresh_from_db()
    assert (receipt.status, receipt.attempts, receipt.leases_lost) == ("SENT", 2, 1)
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]


def test_a_crash_before_the_mail_loses_nothing(receipt: Notice) -> None:
    now = clock.now()
    claimed(receipt, now=now)
    after = now + sending.LEASE + timedelta(seconds=1)

    sending.attempt(claimed(receipt, now=after), clock=lambda: after)

    assert len(mail.outbox) == 1


def test_whoever_lost_the_row_writes_nothing(receipt: Notice) -> None:
    now = clock.now()
    late = claimed(receipt, now=now)
    after = now + sending.LEASE + timedelta(seconds=1)
    claimed(receipt, now=after)

    sending.attempt(late, clock=lambda: after)

    receipt.refresh_from_db()
    assert (receipt.status, receipt.sent_at) == ("LEASED", None)


def test_t23_a_notice_that_kills_its_workers_is_given_up(receipt: Notice) -> None:
    now = clock.now()
    for _ in range(sending.LEASES_LOST_MAX + 1):
        claimed(receipt, now=now)
        now += sending.LEASE + timedelta(seconds=1)

    assert sending.claim(receipt.id, now=now) is None
    assert sending.due(now=now) == []

    receipt.refresh_from_db()
    assert (receipt.status, receipt.error_code) == ("FAILED", "worker_lost")


def test_a_server_that_hangs_holds_no_more_than_two_workers(alice: User, chat: Member) -> None:
    for _ in range(3):
        cast.authorised_consent(alice, chat.platform)
    first, second, _ = collected()
    now = clock.now()
    claimed(first, now=now)
    assert len(sending.due(now=now)) == 2
    claimed(second, now=now)

    assert sending.due(now=now) == []


def test_a_round_stops_where_there_is_no_server(alice: User, chat: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        cast.authorised_consent(alice, chat.platform)
    collected()
    fails_with(monkeypatch, ConnectionRefusedError())

    tasks.send()

    assert sorted(Notice.objects.values_list("attempts", flat=True)) == [0, 0, 1]


@pytest.mark.django_db(transaction=True)
def test_of_senders_at_once_each_notice_has_one(alice: User, chat: Member) -> None:
    for _ in range(6):
        cast.authorised_consent(alice, chat.platform)
    ids = [notice.id for notice in collected()]
    gate, now = threading.Barrier(4), clock.now()

    def send(_: int) -> None:
        try:
            connections["default"].ensure_connection()
            gate.wait()
            for notice_id in ids:
                held = sending.claim(notice_id, now=now)
                if held is not None:
                    sending.attempt(held, clock=clock.now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))

    headers = [letter.extra_headers["Message-ID"] for letter in mail.outbox]
    assert len(headers) == len(set(headers)) == 6
    assert set(Notice.objects.values_list("status", "attempts")) == {("SENT", 1)}
