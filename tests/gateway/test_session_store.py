"""A session's row is named by the digest of its cookie, in every way that Django uses the store."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client

from consents import clock
from gateway.identity.models import User
from gateway.identity.session_store import SessionStore, row_key
from tests.support import cast

pytestmark = pytest.mark.django_db


def signed_in() -> Client:
    browser = Client()
    assert browser.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD}).status_code == 302
    return browser


def cookie(browser: Client) -> str:
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def test_signing_in_leaves_no_live_key_in_the_database(alice: User) -> None:
    browser = signed_in()

    row = Session.objects.get()
    assert browser.get("/").status_code == 200
    assert row.session_key == row_key(cookie(browser))
    assert cookie(browser) not in str(Session.objects.values())
    assert cookie(browser) not in str(row.get_decoded())


def test_the_name_of_a_row_opens_nothing(alice: User) -> None:
    signed_in()
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = Session.objects.get().session_key

    assert thief.get("/").status_code == 302


def test_code_sees_the_cookies_own_value(alice: User) -> None:
    browser = signed_in()

    assert browser.get("/").wsgi_request.session.session_key == cookie(browser) == browser.session.session_key


def test_signing_in_rotates_and_leaves_one_row(alice: User) -> None:
    browser = Client()
    session = browser.session
    session["before"] = "signing in"
    session.save()
    before = session.session_key

    browser.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD})

    assert cookie(browser) != before
    assert [row.session_key for row in Session.objects.all()] == [row_key(cookie(browser))]
    assert browser.session["before"] == "signing in"


def test_signing_out_removes_the_row(alice: User) -> None:
    browser = signed_in()
    key = cookie(browser)

    browser.post("/sign-out/")

    assert not SessionStore().exists(key)
    browser.cookies[settings.SESSION_COOKIE_NAME] = key
    assert browser.get("/").status_code == 302


@pytest.mark.parametrize(
    "value", ['"aaaaaaaaaaaaaaaa\\000bbbbbbbbbbbbbbb"', '"\\377\\376aaaaaaaaaa"', "x" * 5000, "short"]
)
@pytest.mark.parametrize("path", ["/", "/sign-in/"])
def test_an_odd_cookie_is_nobodys_session(value: str, path: str) -> None:
    answer = Client().get(path, headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={value}"})

    assert answer.status_code in (200, 302)
    assert answer.wsgi_request.session.session_key is None


def test_a_key_that_somebody_else_chose_is_not_adopted(alice: User) -> None:
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32

    browser.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD})

    assert cookie(browser) != "a" * 32


def test_an_expired_session_is_over_and_swept() -> None:
    store = SessionStore()
    store["a"] = 1
    store.save()
    Session.objects.update(expire_date=clock.now() - timedelta(seconds=1))

    assert SessionStore(store.session_key).get("a") is None
    call_command("clearsessions")
    assert not Session.objects.exists()


def test_saving_what_was_deleted_meanwhile_does_not_bring_it_back() -> None:
    store = SessionStore()
    store.create()
    SessionStore(store.session_key).delete()
    store["a"] = 1

    with pytest.raises(UpdateError):
        store.save()

    assert not Session.objects.exists()


def test_flush_and_delete_reach_the_row() -> None:
    first, second = SessionStore(), SessionStore()
    first.create()
    second.create()
    key = second.session_key

    first.flush()
    SessionStore().delete(key)
    SessionStore().delete("unknown")
    SessionStore().delete()

    assert first.session_key is None
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_asynchronous_ways_are_the_same_ways() -> None:
    async def walk() -> tuple[str, bool, object]:
        store = SessionStore()
        await store.aset("a", 1)
        await store.asave()
        await store.acycle_key()
        key = str(store.session_key)
        return key, await store.aexists(key), await SessionStore(key).aget("a")

    key, exists, value = async_to_sync(walk)()

    assert (exists, value) == (True, 1)
    assert [row.session_key for row in Session.objects.all()] == [row_key(key)]
    async_to_sync(SessionStore(key).adelete)()
    assert not Session.objects.exists()
