"""The page of notices, and the one that shows an embedded instance's mail."""

from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from banks.models import Institution
from consents import clock
from consents.models import Consent, Platform
from gateway.identity.models import User
from gateway.notify import mailbox, notices, tasks
from gateway.notify.models import Notice
from gateway.portal.notices import PAGE_SIZE
from tests.gateway.portal.conftest import signed_in
from tests.gateway.portal.html import Page
from tests.support import cast
from tests.support.cast import Member


@pytest.fixture
def sharing(alice: User, chat: Member, northbank: Institution) -> Consent:
    made = cast.authorised_consent(alice, chat.platform, accounts=cast.linked_accounts(alice, northbank))
    tasks.collect()
    return made


def test_it_says_what_comes_here_while_nothing_is_there(browser: Client) -> None:
    assert Page(browser.get("/notices/")).says("When you share something, the receipt comes here.")


def test_a_receipt_stands_here_without_any_mail(browser: Client, sharing: Consent) -> None:
    tasks.send()

    page = Page(browser.get("/notices/"))

    assert mail.outbox == []
    assert page.says("Receipt: you share with chat")
    assert page.says("Northbank, 2 accounts")
    assert page.says(f"Receipt: {sharing.id}")
    assert page.says("This Sluice sends no mail, so this stands here only.")
    assert f"/consents/{sharing.id}/" in [link.attributes["href"] for link in page.links]


def test_a_person_without_an_address_misses_nothing(browser: Client, sharing: Consent, settings: Any) -> None:
    settings.MAIL_FROM = "sluice@sluice.example"
    tasks.send()

    assert Page(browser.get("/notices/")).says("We have no mail address of yours, so this stands here only.")


@pytest.mark.parametrize(
    ("status", "attempts", "words"),
    [
        ("FAILED", 9, "We could not send this by mail. Please check your mail address."),
        ("PENDING", 0, "We are sending this by mail."),
        ("PENDING", 3, "We have not been able to send this by mail yet."),
    ],
)
def test_what_became_of_the_mail_is_said(
    browser: Client, sharing: Consent, status: str, attempts: int, words: str
) -> None:
    Notice.objects.update(status=status, attempts=attempts)

    assert Page(browser.get("/notices/")).says(words)


def test_one_sees_ones_own_and_no_others(sharing: Consent, bob: User) -> None:
    page = Page(signed_in(bob).get("/notices/"))

    assert "chat" not in page.words


def test_the_newest_come_first_a_page_at_a_time(browser: Client, alice: User) -> None:
    for number in range(PAGE_SIZE + 1):
        notices.tell(
            notices.NoticeKind.DOWNLOAD_READY,
            user_id=alice.id,
            occasion=f"test:{number}",
            details={"ends_at": clock.now().isoformat()},
            now=clock.now(),
        )
    first, second = (Page(browser.get(f"/notices/?page={number}")) for number in (1, 2))

    assert (first.words.count("Your data is ready"), second.words.count("Your data is ready")) == (40, 2)
    assert first.says("Page 1 of 2")
    assert first.says("Older notices")
    assert second.says("Newer notices")
    assert first.title != second.title
    assert Page(browser.get("/notices/?page=nonsense")).says("Page 1 of 2")


def test_a_name_with_markup_is_text(browser: Client, sharing: Consent) -> None:
    Platform.objects.update(name="<img src=x>")

    assert "<img" not in browser.get("/notices/").content.decode()


# -- /dev/mail ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def embedded(settings: Any, tmp_path: Path) -> Any:
    settings.EMBEDDED = True
    settings.MAIL_FROM = "Sluice <sluice@localhost>"
    settings.MAIL_DIRECTORY = tmp_path / "mail"
    settings.EMAIL_BACKEND = "gateway.notify.mailbox.FileBackend"
    return settings


def test_dev_mail_is_there_in_an_embedded_instance_only(browser: Client, settings: Any) -> None:
    assert settings.EMBEDDED is False
    assert browser.get("/dev/mail").status_code == 404
    assert Client().get("/dev/mail").status_code == 404


def test_dev_mail_shows_the_mails_to_ones_own_address(
    browser: Client, alice: User, bob: User, sharing: Consent, embedded: Any
) -> None:
    User.objects.filter(id=alice.id).update(email="alice@mail.example")
    User.objects.filter(id=bob.id).update(email="bob@mail.example")
    tasks.send()

    page = Page(browser.get("/dev/mail"))

    assert len(mailbox.of("alice@mail.example")) == 1
    assert page.says("Receipt: you share with chat")
    assert page.says("To alice@mail.example")
    assert page.says("This mail holds no balance, no account number and no payment.")
    assert "chat" not in Page(signed_in(bob).get("/dev/mail")).words
    assert Client().get("/dev/mail").status_code == 302


def test_dev_mail_says_what_to_do_while_it_is_empty(browser: Client, alice: User, embedded: Any) -> None:
    assert Page(browser.get("/dev/mail")).says("Your profile has no mail address")
    User.objects.filter(id=alice.id).update(email="alice@mail.example")
    assert Page(browser.get("/dev/mail")).says("No mail yet")
