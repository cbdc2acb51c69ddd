"""The sample platform, page by page, against a Sluice that answers what the test says."""

import re
import stat
from collections.abc import Callable
from decimal import Decimal
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from examples.budget import sluice as client
from examples.budget import spending, words
from examples.budget.app import App
from examples.budget.configuration import Configuration
from examples.budget.follower import Follower
from examples.budget.sluice import Refused, Sluice, Unreachable
from examples.budget.store import Store
from gateway.problems import PROBLEMS, Problem
from tests.examples.fake_sluice import ACCOUNT, CONSENT, ISSUER, FakeSluice, account, event, problem, row

ORIGIN = "https://budget.example"


class Answer:
    def __init__(self, status: str, headers: list[tuple[str, str]], body: str) -> None:
        self.status = int(status.split()[0])
        self.headers = dict(headers)
        self.body = body

    @property
    def heading(self) -> str:
        found = re.search(r"<h1>(.*?)</h1>", self.body)
        assert found, self.body
        return found[1]


class Browser:
    """Keeps one cookie, fills in the form token of the page it is on, and follows nothing by itself."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.cookie = ""
        self.form_token = ""

    def get(self, path: str, **query: str) -> Answer:
        return self._send("GET", path, urlencode(query), b"")

    def post(self, path: str, **form: str) -> Answer:
        return self._send("POST", path, "", urlencode({"form_token": self.form_token, **form}).encode())

    def _send(self, method: str, path: str, query: str, body: bytes) -> Answer:
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "HTTP_HOST": urlsplit(ORIGIN).netloc,
            "HTTP_COOKIE": self.cookie, "REMOTE_ADDR": "203.0.113.7", "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": BytesIO(body),
        }  # fmt: skip
        started: list[Any] = []
        parts = self.app(environ, lambda status, headers: started.extend((status, headers)))
        answer = Answer(started[0], started[1], b"".join(parts).decode())
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        if found := re.search(r'name="form_token" value="([^"]+)"', answer.body):
            self.form_token = found[1]
        return answer

    def leave(self) -> dict[str, str]:
        """To Sluice; what it says there."""
        self.get("/")
        answer = self.post("/connect")
        assert answer.status == HTTPStatus.SEE_OTHER
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}

    def connect(self) -> Answer:
        asked = self.leave()
        return self.get("/callback", state=asked["state"], iss=ISSUER, code="the-code")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSluice:
    made = FakeSluice()
    monkeypatch.setattr(client.requests, "request", made.request)
    return made


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration.of({
        "BUDGET_ISSUER": ISSUER, "BUDGET_CLIENT_ID": "budget", "BUDGET_CLIENT_SECRET": "secret",
        "BUDGET_ORIGIN": ORIGIN, "BUDGET_DATA_DIRECTORY": str(tmp_path / "budget"),
    })  # fmt: skip


@pytest.fixture
def store(configuration: Configuration) -> Store:
    return Store(configuration.data_directory)


@pytest.fixture
def app(fake: FakeSluice, configuration: Configuration, store: Store) -> App:
    return App(configuration, Sluice(configuration), store)


@pytest.fixture
def browser(app: App) -> Browser:
    return Browser(app)


@pytest.fixture
def connected(browser: Browser) -> Browser:
    browser.connect()
    browser.get("/")
    return browser


# -- connecting --------------------------------------------------------------------------------------------------------


def test_the_question_has_pkce_state_and_what_is_asked_for(browser: Browser) -> None:
    asked = browser.leave()

    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert asked["redirect_uri"] == f"{ORIGIN}/callback"
    assert '"purposes": ["budgeting"]' in asked["authorization_details"]


def test_the_code_is_redeemed_with_the_verifier_and_the_secret_of_this_client(
    browser: Browser, fake: FakeSluice
) -> None:
    answer = browser.connect()

    assert answer.headers["Location"] == "/waiting"
    sent = next(options for name, options in fake.asked if name == "POST /oauth/token")
    assert sent["auth"] == ("budget", "secret")
    assert sent["data"]["code"] == "the-code"
    assert len(sent["data"]["code_verifier"]) >= 43


@pytest.mark.parametrize("wrong", [{"state": "another"}, {"iss": "https://another.example"}, {"iss": ""}])
def test_an_answer_to_another_question_or_of_another_server_redeems_nothing(
    browser: Browser, fake: FakeSluice, wrong: dict[str, str]
) -> None:
    asked = browser.leave()

    answer = browser.get("/callback", **{"state": asked["state"], "iss": ISSUER, "code": "the-code", **wrong})

    assert answer.status == HTTPStatus.BAD_REQUEST
    assert "POST /oauth/token" not in fake.names()


def test_an_answer_counts_in_the_browser_that_asked_alone_and_once(app: App, browser: Browser) -> None:
    asked = browser.leave()
    given = {"state": asked["state"], "iss": ISSUER, "code": "the-code"}

    assert Browser(app).get("/callback", **given).status == HTTPStatus.BAD_REQUEST
    assert browser.get("/callback", **given).status == HTTPStatus.SEE_OTHER
    assert browser.get("/callback", **given).status == HTTPStatus.BAD_REQUEST


def test_whoever_says_no_is_told_that_nothing_was_shared(browser: Browser, fake: FakeSluice) -> None:
    asked = browser.leave()

    answer = browser.get("/callback", state=asked["state"], iss=ISSUER, error="access_denied")

    assert answer.headers["Location"] == "/"
    assert "Nothing was shared." in browser.get("/").body
    assert "Nothing was shared." not in browser.get("/").body
    assert "POST /oauth/token" not in fake.names()


def test_a_code_that_came_too_late_is_no_link(browser: Browser, fake: FakeSluice) -> None:
    fake.tokens["authorization_code"] = (400, {"error": "invalid_grant"})

    browser.connect()

    assert "That took too long" in browser.get("/").body


def test_the_session_has_a_new_id_once_it_is_worth_something(browser: Browser, app: App) -> None:
    browser.get("/")
    planted = browser.cookie
    browser.connect()

    victim = Browser(app)
    victim.cookie = planted

    assert browser.cookie != planted
    assert victim.get("/").heading == "Know where your money goes"


def test_a_first_fetch_that_takes_long_is_waited_for_and_then_said(
    connected: Browser, fake: FakeSluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("examples.budget.app.FIRST_SYNC_SECONDS", 0)
    fake.answers["GET /v1/transactions/sync"] = (200, {"update_status": "FIRST_SYNC"})
    assert connected.get("/waiting").heading == "Your bank is on its way"

    fake.answers["GET /v1/transactions/sync"] = (200, {"update_status": "BACKFILLING"})
    assert connected.get("/waiting").headers["Location"] == "/"


# -- what is shared ----------------------------------------------------------------------------------------------------


def test_accounts_balances_and_spending_stand_on_the_page(connected: Browser) -> None:
    body = connected.get("/").body

    assert "Everyday" in body and "ends in 6819" in body
    assert "1,240.55&nbsp;GBP" in body
    assert "Where it went, in GBP" in body and "23.40&nbsp;GBP" in body


def test_what_a_bank_writes_is_text_and_nothing_else(connected: Browser, fake: FakeSluice) -> None:
    fake.answers["GET /v1/accounts"] = (200, {"accounts": [account(name="<script>alert(1)</script>")]})

    body = connected.get("/").body

    assert "&lt;script&gt;" in body
    assert "<script" not in body


def test_no_page_has_a_script_or_a_style_of_its_own_or_loads_from_elsewhere(connected: Browser) -> None:
    for path in ("/", f"/accounts/{ACCOUNT}", "/disconnect", "/nowhere"):
        answer = connected.get(path)
        assert "<script" not in answer.body and "style=" not in answer.body
        assert not re.search(r'(?:src|href)="https?://(?!sluice\.example)', answer.body)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Cache-Control"] == "no-store"


def test_payments_are_shown_page_by_page(connected: Browser, fake: FakeSluice) -> None:
    fake.answers[f"GET /v1/accounts/{ACCOUNT}/transactions"] = (
        200,
        {"transactions": [row("-1.00")], "next_cursor": "c"},
    )
    assert f'href="/accounts/{ACCOUNT}?cursor=c"' in connected.get(f"/accounts/{ACCOUNT}").body

    connected.get(f"/accounts/{ACCOUNT}", cursor="c")

    assert fake.asked[-1][1]["params"] == {"limit": "25", "cursor": "c"}


def test_a_refresh_says_that_the_user_is_there_and_may_be_pressed_twice(connected: Browser, fake: FakeSluice) -> None:
    connected.post("/refresh", idempotency_key="one")
    headers = fake.asked[-1][1]["headers"]

    assert headers["x-fapi-customer-ip-address"] == "203.0.113.7"
    assert headers["x-fapi-auth-date"].endswith(" GMT")
    assert headers["Idempotency-Key"] == "one"
    assert "Your bank is being asked" in connected.get("/").body


# -- every no ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", PROBLEMS.values(), ids=lambda one: one.code)
def test_every_problem_there_is_becomes_a_page_in_plain_words(
    connected: Browser, fake: FakeSluice, row: Problem
) -> None:
    if row.status == HTTPStatus.UNAUTHORIZED:
        fake.tokens["refresh_token"] = (400, {"error": "invalid_grant"})
    fake.answers["GET /v1/accounts"] = problem(
        row.code, row.status, owner=row.owner, display_message=row.display_message, retry_after=90
    )

    answer = connected.get("/")

    assert answer.status == HTTPStatus.OK
    assert answer.heading not in ("Your money", "Know where your money goes")
    assert row.code not in answer.body
    assert len(words.refused(Refused(fake.answers["GET /v1/accounts"][1])).text) > 20


@pytest.mark.parametrize(
    ("code", "heading", "shown"),
    [
        ("consent_paused", "You paused this", "Go to your sharing at Sluice"),
        ("consent_suspended", "The sharing is on hold", "You need not do anything"),
        ("policy_suspended", "The sharing is on hold", "Words of Sluice."),
        ("connection_not_serving", "Your bank wants to see you", "Renew it at Sluice"),
        ("rate_limited", "A little later, please", "in 2 minutes"),
    ],
)
def test_what_a_user_can_change_comes_with_the_way_there(
    connected: Browser, fake: FakeSluice, code: str, heading: str, shown: str
) -> None:
    fake.answers["GET /v1/accounts"] = problem(code, PROBLEMS[code].status, retry_after=90)

    answer = connected.get("/")

    assert answer.heading == heading
    assert shown in answer.body


def test_no_answer_at_all_is_said_and_loses_nothing(connected: Browser, fake: FakeSluice) -> None:
    def broken(name: str) -> None:
        raise client.requests.ConnectionError("refused")

    fake.before = broken
    assert connected.get("/").heading == "We cannot reach Sluice right now"

    fake.before = lambda name: None
    assert connected.get("/").heading == "Your money"


def test_an_error_of_a_machine_on_the_way_is_no_word_of_sluice(
    connected: Browser, fake: FakeSluice, configuration: Configuration, store: Store
) -> None:
    for name in ("GET /v1/accounts", "GET /v1/events"):
        fake.answers[name] = (502, {"message": "bad gateway"})

    assert connected.get("/").heading == "We cannot reach Sluice right now"
    with pytest.raises(Unreachable):
        Follower(Sluice(configuration), store).follow()
    assert store.live_consents() == [CONSENT]


def test_an_access_token_that_ran_out_is_renewed_on_the_way(
    connected: Browser, fake: FakeSluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SPARE_SECONDS", 1_000)
    fake.asked.clear()

    assert connected.get("/").heading == "Your money"
    assert fake.asked[0][1]["data"] == {"grant_type": "refresh_token", "refresh_token": "refresh"}


def dead(fake: FakeSluice, status: str, by: str) -> None:
    fake.answers["GET /v1/accounts"] = problem("invalid_token", 401, owner="PLATFORM")
    fake.tokens["refresh_token"] = (400, {"error": "invalid_grant"})
    fake.answers[f"GET /v1/consents/{CONSENT}"] = (200, {"status": status, "status_initiator": by})


@pytest.mark.parametrize(
    ("status", "by", "heading"),
    [
        ("REVOKED", "USER", "You stopped sharing"),
        ("REVOKED", "BANK", "Your bank ended this"),
        ("REVOKED", "OPERATOR", "Sluice ended this"),
        ("EXPIRED", "SYSTEM", "Your permission has run out"),
        ("CONSUMED", "SYSTEM", "Your permission was for one time"),
    ],
)
def test_an_end_is_told_by_whose_hand_it_was_and_takes_the_tokens_away(
    connected: Browser, fake: FakeSluice, store: Store, status: str, by: str, heading: str
) -> None:
    dead(fake, status, by)

    assert connected.get("/").heading == heading

    link = store.link(CONSENT)
    assert link is not None and link.tokens is None
    fake.asked.clear()
    assert connected.get("/").heading == heading
    assert fake.asked == []


def test_a_pause_refuses_tokens_too_but_takes_none_away(connected: Browser, fake: FakeSluice, store: Store) -> None:
    dead(fake, "PAUSED", "USER")

    assert connected.get("/").heading == "You paused this"

    link = store.link(CONSENT)
    assert link is not None and link.tokens is not None


def test_disconnecting_ends_the_consent_at_sluice(connected: Browser, fake: FakeSluice, store: Store) -> None:
    connected.get("/disconnect")

    connected.post("/disconnect")

    assert fake.names()[-1] == f"DELETE /v1/consents/{CONSENT}"
    assert connected.get("/").heading == "You disconnected your bank"


def test_what_sluice_did_not_end_is_not_called_ended(connected: Browser, fake: FakeSluice, store: Store) -> None:
    fake.answers[f"DELETE /v1/consents/{CONSENT}"] = problem("service_unavailable", 503, owner="OPERATOR")

    answer = connected.post("/disconnect")

    assert answer.heading == "We cannot reach Sluice right now"
    assert store.live_consents() == [CONSENT]


# -- its own doors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/connect", "/refresh", "/disconnect"])
@pytest.mark.parametrize("token", ["", "wrong", "ünknown"])
def test_a_form_of_another_site_does_nothing(connected: Browser, fake: FakeSluice, path: str, token: str) -> None:
    fake.asked.clear()

    assert connected.post(path, form_token=token).status == HTTPStatus.FORBIDDEN
    assert fake.asked == []


def test_another_host_name_is_not_answered(app: App, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.examples.test_budget.ORIGIN", "https://rebound.example")

    assert browser.get("/").status == HTTPStatus.MISDIRECTED_REQUEST


def test_the_cookie_is_out_of_reach(browser: Browser) -> None:
    flags = browser.get("/").headers["Set-Cookie"]

    assert flags.startswith("__Host-budget=")
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(flags.split("; "))


def test_the_file_is_private_and_holds_no_session_id_and_no_bank_data(connected: Browser, store: Store) -> None:
    file = next(Path(store._path).parent.iterdir())

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    held = file.read_bytes()
    assert connected.cookie.split("=")[1].encode() not in held
    assert b"1240.55" not in held and b"6819" not in held


# -- the log of events -------------------------------------------------------------------------------------------------


@pytest.fixture
def follow(fake: FakeSluice, configuration: Configuration, store: Store) -> Callable[[], None]:
    return Follower(Sluice(configuration), store).follow


def told(*events: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"events": list(events), "next_after": "next", "has_more": False}


def test_a_stop_is_heard_of_while_nobody_looks_and_acknowledged_once_the_tokens_are_gone(
    connected: Browser, fake: FakeSluice, store: Store, follow: Callable[[], None]
) -> None:
    fake.answers["GET /v1/events"] = told(event("consent.revoked"))

    follow()

    assert store.live_consents() == []
    assert fake.asked[-1][1]["json"] == {"through": "next"}
    body = connected.get("/").body
    assert "You stopped sharing" in body and "The sharing was ended." in body and "by you" in body


def test_events_are_read_from_where_one_was_and_noted_once(
    connected: Browser, fake: FakeSluice, store: Store, follow: Callable[[], None]
) -> None:
    fake.answers["GET /v1/events"] = told(event("consent.paused"), event("something.new", number=2))
    follow()
    follow()

    assert [options["params"] for name, options in fake.asked if name == "GET /v1/events"] == [{}, {"after": "next"}]
    assert len(store.events(CONSENT)) == 2
    assert "Something changed." in connected.get("/").body


def test_after_missing_events_every_consent_is_looked_at(
    connected: Browser, fake: FakeSluice, store: Store, follow: Callable[[], None]
) -> None:
    fake.answers["GET /v1/events"] = problem("events_gone", 410, next_after="later")
    seen: list[str] = []

    def then(name: str) -> None:
        seen.append(name)
        if name == f"GET /v1/consents/{CONSENT}":
            fake.answers["GET /v1/events"] = told()

    fake.before = then
    follow()

    assert f"GET /v1/consents/{CONSENT}" in seen
    assert store.live_consents() == []
    assert fake.asked[-1][1]["params"] == {"after": "later"}


# -- sums --------------------------------------------------------------------------------------------------------------


def test_spending_is_summed_by_category_and_currency_and_leaves_out_what_is_not_spent() -> None:
    rows = [
        row("-10.00", merchant={"category": "groceries", "name": "A"}),
        row("-2.50", merchant={"category": "groceries", "name": "B"}),
        row("-5.00", merchant={"category": None, "name": None}),
        row("-99.00", "TRANSFER"),
        row("1200.00", "SALARY"),
        row("-3.00", "CASH", currency="EUR"),
    ]

    found = spending.by_category(rows)

    assert [(bar.label, bar.amount) for bar in found["GBP"]] == [
        ("Groceries", Decimal("12.50")),
        ("Card payment", Decimal("5.00")),
    ]
    assert [(bar.label, bar.share) for bar in found["EUR"]] == [("Cash", 100)]


def test_many_groups_end_in_one_that_holds_the_rest() -> None:
    rows = [row(f"-{number}.00", merchant={"category": f"c{number}"}) for number in range(1, 11)]

    bars = spending.by_category(rows)["GBP"]

    assert len(bars) == spending.GROUPS_SHOWN + 1
    assert (bars[-1].label, bars[-1].amount) == ("All else", Decimal("6.00"))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "later"), (1, "in 1 second"), (45, "in 45 seconds"), (61, "in 2 minutes"), (7200, "in 2 hours")],
)
def test_waiting_is_said_in_the_unit_one_thinks_in(seconds: int | None, said: str) -> None:
    assert words.waiting_time(seconds) == said
