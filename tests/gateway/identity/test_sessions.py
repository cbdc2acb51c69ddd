"""Where one is signed in, and ending that; what happened to one's sign-in."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from consents import clock
from gateway.identity import tasks
from gateway.identity.devices import device
from gateway.identity.models import SecurityRecord, User, UserSession
from gateway.identity.session_store import row_key
from tests.gateway.portal.html import Page
from tests.support import cast, factors

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def signed_in(**headers: str) -> Client:
    browser = Client(headers=headers)
    browser.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD})
    return browser


def cookie(browser: Client) -> str:
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def kinds() -> list[str]:
    return list(SecurityRecord.objects.order_by("occurred_at").values_list("kind", flat=True))


def test_each_browser_is_listed_and_its_key_is_nowhere(alice: User) -> None:
    here, there = signed_in(), signed_in(**{"User-Agent": FIREFOX})

    page = Page(here.get("/security/"))

    assert page.says("Unknown browser (this browser)")
    assert page.says("Firefox on Linux")
    kept = str(list(UserSession.objects.values())) + str([row.get_decoded() for row in Session.objects.all()])
    for browser in (here, there):
        assert cookie(browser) not in kept
        assert row_key(cookie(browser)) not in str(list(UserSession.objects.values()))


def test_ended_session_is_over_at_its_next_request(alice: User) -> None:
    here, there = signed_in(), signed_in()
    other = UserSession.objects.latest("started_at")

    answer = here.post(f"/security/sessions/{other.id}/end/")

    assert (answer.status_code, answer["Location"]) == (303, "/security/")
    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert not Page(here.get("/security/")).says("Sign out there")


def test_all_others_end_at_once(alice: User) -> None:
    here, *others = (signed_in() for _ in range(3))

    here.post("/security/sessions/end/")

    assert [browser.get("/").status_code for browser in (here, *others)] == [200, 302, 302]


def test_nobody_ends_anothers_session(alice: User, bob: User) -> None:
    browser = signed_in()
    session = UserSession.objects.get()

    assert factors.browser_of(bob).post(f"/security/sessions/{session.id}/end/").status_code == 404
    factors.browser_of(bob).post("/security/sessions/end/")
    assert browser.get("/").status_code == 200


def test_session_without_a_row_opens_nothing(alice: User) -> None:
    browser = signed_in()
    UserSession.objects.all().delete()

    assert browser.get("/").status_code == 302


def test_signing_out_ends_the_session(alice: User) -> None:
    signed_in().post("/sign-out/")

    assert UserSession.objects.get().ended_at is not None


def test_changed_password_signs_out_everywhere_else(alice: User) -> None:
    here, there = signed_in(), signed_in()
    new = "another long passphrase"

    answer = here.post("/security/password/", {"oldpassword": cast.PASSWORD, "password1": new, "password2": new})

    assert answer["Location"] == "/security/"
    assert [browser.get("/").status_code for browser in (here, there)] == [200, 302]
    assert UserSession.objects.filter(ended_at=None).count() == 1
    assert kinds()[-1] == "PASSWORD_CHANGED"


def test_last_seen_moves_by_the_minute(alice: User) -> None:
    browser = signed_in()
    seen = UserSession.objects.get().last_seen_at
    browser.get("/")
    assert UserSession.objects.get().last_seen_at == seen

    UserSession.objects.update(last_seen_at=seen - timedelta(minutes=2))
    browser.get("/")

    assert UserSession.objects.get().last_seen_at > seen - timedelta(minutes=1)


def test_history_tells_of_success_failure_and_change_and_of_nobody_else(alice: User, bob: User) -> None:
    Client().post("/sign-in/", {"login": "alice", "password": "wrong"})
    Client().post("/sign-in/", {"login": "nobody", "password": "wrong"})
    browser = signed_in()

    page = Page(browser.get("/security/history/"))

    assert kinds() == ["SIGN_IN_FAILED", "SIGNED_IN"]
    assert page.says("Wrong password") and page.says("You signed in")
    assert Page(factors.browser_of(bob).get("/security/history/")).words.count("Wrong password") == 0


def test_wrong_code_is_told(alice: User) -> None:
    factors.set_up_codes(alice)

    signed_in().post("/sign-in/second-factor/", {"code": "000000"})

    assert kinds() == ["FACTOR_FAILED"]


def test_history_is_paged_and_nothing_is_left_out(alice: User) -> None:
    now = clock.now()
    for n in range(60):
        SecurityRecord.objects.create(user=alice, kind="SIGN_IN_FAILED", occurred_at=now - timedelta(hours=n))
    browser = factors.browser_of(alice)

    first, second = (Page(browser.get("/security/history/", {"page": n})) for n in (1, 2))

    assert [page.words.count("Wrong password") for page in (first, second)] == [49, 11]
    assert first.title != second.title


def test_after_90_days_it_is_forgotten(alice: User) -> None:
    now = clock.now()
    for days in (89, 91):
        SecurityRecord.objects.create(user=alice, kind="SIGN_IN_FAILED", occurred_at=now - timedelta(days=days))
        UserSession.objects.create(user=alice, started_at=now, last_seen_at=now - timedelta(days=days - 89))

    assert Page(factors.browser_of(alice).get("/security/history/")).words.count("Wrong password") == 1
    tasks.sweep()

    assert SecurityRecord.objects.filter(kind="SIGN_IN_FAILED").count() == 1
    assert UserSession.objects.filter(last_seen_at__lt=now - timedelta(days=1)).count() == 0


@pytest.mark.parametrize("steps", [1, 2])
def test_t15_session_key_known_before_a_proof_opens_nothing_after_it(alice: User, steps: int) -> None:
    secret = factors.set_up_codes(alice)
    browser = Client()
    browser.get("/sign-in/")
    session = browser.session
    session["planted"] = True
    session.save()
    keys = [cookie(browser) if settings.SESSION_COOKIE_NAME in browser.cookies else session.session_key]

    browser.post("/sign-in/", {"login": "alice", "password": cast.PASSWORD})
    keys.append(cookie(browser))
    if steps == 2:
        browser.post("/sign-in/second-factor/", {"code": factors.code_of(secret)})
        keys.append(cookie(browser))

    assert len(set(keys)) == len(keys)
    for known in keys[:-1]:
        thief = Client()
        thief.cookies[settings.SESSION_COOKIE_NAME] = known
        assert thief.get("/").status_code == 302
        assert thief.get("/sign-in/second-factor/").status_code == 302
    assert browser.get("/").status_code == (200 if steps == 2 else 302)


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/150.0 Safari/537.36 Edg/150.0", "Edge on Windows"),
        ("curl/8.0", "Unknown browser"),
        ("Linux something", "Unknown browser on Linux"),
        ("", "Unknown browser"),
    ],
)
def test_device_in_words(user_agent: str, words: str) -> None:
    assert device(user_agent) == words


def test_odd_browser_names_are_stored_all_the_same(alice: User) -> None:
    signed_in(**{"User-Agent": "x" * 5000})

    assert len(UserSession.objects.get().user_agent) == 300
